import { countText, durationText, nounText } from '@edrlake/core/quantities';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import type { Answer, TablesDocument } from '../../../src/documents/documents.ts';
import { ask, asRefused, type Refused, useLoaded } from '../api.ts';
import { linkTo } from '../ask-link.ts';
import { RECIPES } from '../cookbook.ts';
import { Page, Problem, Table } from '../parts/parts.tsx';
import { Plot } from '../parts/plot.tsx';
import { Questions } from './questions.tsx';

const FIRST = `SELECT event_date, count(*) AS events
FROM events
GROUP BY event_date
ORDER BY event_date`;

/** SQL over the lake, with the questions of the cookbook. `linked`: the statement of the address. */
export function AskView({ linked }: { linked: string | null }) {
  const [sql, setSql] = useState(linked ?? FIRST);
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [refused, setRefused] = useState<Refused | null>(null);
  const running = useRef<AbortController | null>(null);
  const [isRunning, setIsRunning] = useState(false);
  const run = async (text: string) => {
    running.current?.abort();
    const abort = new AbortController();
    running.current = abort;
    setIsRunning(true);
    history.replaceState(null, '', linkTo(text));
    try {
      const init = {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ sql: text }),
      };
      const found = await ask<Answer>('/api/ask', { ...init, signal: abort.signal });
      setAnswer(found);
      setRefused(null);
    } catch (thrown) {
      if (running.current !== abort) return;
      setRefused(abort.signal.aborted ? null : asRefused(thrown));
      setAnswer(null);
    } finally {
      if (running.current === abort) setIsRunning(false);
    }
  };
  const choose = (text: string) => {
    setSql(text);
    void run(text);
    scrollTo(0, 0);
  };
  // A link shows the question; it is asked when the reader wants it to be.
  useEffect(() => {
    if (linked !== null) setSql(linked);
  }, [linked]);
  useEffect(() => () => running.current?.abort(), []);
  return (
    <Page title="Ask" about="one statement that only reads, over the files of this lake">
      <section class="card" aria-label="Question">
        <label>
          <span class="hidden-text">SQL. Ctrl and Enter asks.</span>
          <textarea
            value={sql}
            spellcheck={false}
            autocapitalize="off"
            autocomplete="off"
            onInput={(event) => setSql(event.currentTarget.value)}
            onKeyDown={(event) => {
              if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) void run(sql);
            }}
          />
        </label>
        <Buttons
          sql={sql}
          isRunning={isRunning}
          onRun={() => void run(sql)}
          onCancel={() => running.current?.abort()}
        />
      </section>
      <div aria-live="polite" style={{ display: 'grid', gap: '1.2rem', gridTemplateColumns: 'minmax(0, 1fr)' }}>
        {isRunning && <p class="soft">Asking the lake …</p>}
        {!isRunning && refused !== null && <Problem refused={refused} />}
        {!isRunning && answer !== null && <Result answer={answer} />}
      </div>
      <Questions sql={sql} onChoose={choose} onShow={setSql} />
      <Cookbook onChoose={choose} />
      <Columns />
    </Page>
  );
}

interface ButtonsProps {
  readonly sql: string;
  readonly isRunning: boolean;
  readonly onRun: () => void;
  readonly onCancel: () => void;
}

function Buttons({ sql, isRunning, onRun, onCancel }: ButtonsProps) {
  const [isCopied, setIsCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(`${location.origin}/${linkTo(sql)}`).catch(() => undefined);
    setIsCopied(true);
    setTimeout(() => setIsCopied(false), 1_500);
  };
  return (
    <div class="row" style={{ marginTop: '0.6rem' }}>
      {isRunning ? (
        <button type="button" class="main" onClick={onCancel}>
          Cancel
        </button>
      ) : (
        <button type="button" class="main" onClick={onRun} title="Ctrl+Enter">
          Ask
        </button>
      )}
      {(['csv', 'parquet'] as const).map((format) => (
        <form method="post" action={`/api/ask/${format}`}>
          <input type="hidden" name="sql" value={sql} />
          <button type="submit">{format === 'csv' ? 'CSV' : 'Parquet'}</button>
        </form>
      ))}
      <button type="button" class="quiet" onClick={copy}>
        {isCopied ? 'Copied' : 'Copy link'}
      </button>
      <span class="soft small">at most 1,000 rows and 30 s here; a file has all rows</span>
    </div>
  );
}

function Result({ answer }: { answer: Answer }) {
  const { columns, rows, isCut, durationMs, reads } = answer;
  return (
    <section class="card" aria-labelledby="answer">
      <header>
        <h2 id="answer">
          {isCut ? `the first ${nounText(rows.length, 'row')}` : nounText(rows.length, 'row')} in{' '}
          {durationText(durationMs)}
        </h2>
        {reads !== null && (
          <span class="soft small" title={reads.why ?? ''}>
            {reads.by === 'httpfs' ? 'read with httpfs' : 'read from copies'}
          </span>
        )}
      </header>
      <Chart answer={answer} />
      {rows.length > 0 && (
        <Table
          label="Answer"
          tall
          rows={rows}
          columns={columns.map(({ name, type }, index) => ({
            title: name,
            right: isNumber(type),
            class: /TIME|DATE/.test(type) ? 'nowrap' : '',
            cell: (row: readonly unknown[]) => cellText(row[index]),
          }))}
        />
      )}
    </section>
  );
}

function isNumber(type: string): boolean {
  return /INT|DOUBLE|FLOAT|DECIMAL|REAL/.test(type) && !/\[|STRUCT|MAP|INTERVAL/.test(type);
}

function cellText(value: unknown) {
  if (value === null) return <span class="soft">NULL</span>;
  return typeof value === 'number' ? countText(value) : String(value);
}

/** A chart where the answer is one: times or days that ascend, and numbers beside them. */
function Chart({ answer: { columns, rows } }: { answer: Answer }) {
  const found = useMemo(() => {
    const timeAt = columns.findIndex(({ type }) => /^(?:DATE|TIMESTAMP)/.test(type));
    const numbers = columns.flatMap(({ name, type }, index) => (isNumber(type) ? { name, index } : [])).slice(0, 4);
    if (timeAt < 0 || numbers.length === 0 || rows.length < 3) return null;
    const x = rows.map((row) => Date.parse(String(row[timeAt])) / 1_000);
    if (!x.every((value, index) => Number.isFinite(value) && (index === 0 || value > (x[index - 1] ?? value))))
      return null;
    const series = numbers.map(({ name, index }) => ({
      name,
      values: rows.map((row) => (row[index] === null ? null : Number(row[index]))),
    }));
    return { x, series };
  }, [columns, rows]);
  if (found === null) return null;
  const names = found.series.map(({ name }) => name).join(', ');
  return (
    <Plot
      label={`${names} over time; the table has the numbers`}
      x={found.x}
      isTime
      kind={rows.length <= 60 && found.series.length === 1 ? 'bars' : 'line'}
      series={found.series}
    />
  );
}

function Cookbook({ onChoose }: { onChoose: (sql: string) => void }) {
  const { data } = useLoaded<TablesDocument>('/api/tables', 0);
  const known = new Set(
    (data?.tables ?? []).flatMap(({ name, columns }) => [name, ...columns.map((column) => column.name)]),
  );
  // Other datasets have other columns: a question is offered where the lake has what it names in its plain columns.
  const fits = RECIPES.filter(({ sql }) => namesIn(sql).every((name) => known.has(name)));
  const chapters = [...new Set(fits.map(({ chapter }) => chapter))];
  if (fits.length === 0) return null;
  return (
    <section class="card" aria-labelledby="cookbook">
      <h2 id="cookbook">{nounText(fits.length, 'question')} to begin with</h2>
      <div class="cookbook">
        {chapters.map((chapter) => (
          <section>
            <h3>{chapter}</h3>
            <ul>
              {fits
                .filter((recipe) => recipe.chapter === chapter)
                .map((recipe) => (
                  <li>
                    <button type="button" onClick={() => onChoose(recipe.sql)}>
                      {recipe.title}
                    </button>
                  </li>
                ))}
            </ul>
          </section>
        ))}
      </div>
    </section>
  );
}

const COMMON = ['coverage', 'commits', 'windows'];

/** The tables that a recipe reads. */
function namesIn(sql: string): string[] {
  const own = new Set([...sql.matchAll(/(?:WITH|,)\s+(\w+) AS \(/gi)].map(([, name = '']) => name));
  const read = [...sql.matchAll(/\b(?:FROM|JOIN)\s+([a-z_]+)\b(?!\s*\()/g)].map(([, name = '']) =>
    name.replace(/_proven$/, ''),
  );
  return read.filter((name) => !own.has(name) && !COMMON.includes(name));
}

function Columns() {
  const { data } = useLoaded<TablesDocument>('/api/tables', 0);
  if (data === null) return null;
  return (
    <section class="card" aria-labelledby="columns">
      <h2 id="columns">Tables and columns</h2>
      {data.tables.map((table) => (
        <details>
          <summary>
            <code>{table.name}</code> <span class="soft small">{nounText(table.columns.length, 'column')}</span>
          </summary>
          <Table
            label={`Columns of ${table.name}`}
            tall
            rows={table.columns}
            columns={[
              { title: 'column', class: 'mono', cell: ({ name }) => name },
              { title: 'type', class: 'mono', cell: ({ type }) => type },
              { title: 'meaning', cell: ({ meaning }) => meaning },
            ]}
          />
        </details>
      ))}
    </section>
  );
}

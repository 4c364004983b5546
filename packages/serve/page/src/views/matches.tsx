import { nounText } from '@edrlake/core/quantities';
import { useEffect, useState } from 'preact/hooks';
import type { Answer, CoverageDocument } from '../../../src/documents/documents.ts';
import { ask, asRefused, type Refused, useLoaded } from '../api.ts';
import { linkTo, sqlText } from '../ask-link.ts';
import { instant } from '../format.ts';
import { HuntLists } from '../parts/hunt-lists.tsx';
import { Page, Problem, Table, Waiting } from '../parts/parts.tsx';

/** Rows that are asked for; the question in Ask has all. */
const SHOWN = 500;

/** What is shown of the matches. */
interface Filter {
  readonly list: string;
  readonly text: string;
}

/** What the lists that are always hunted have found, the newest finding first. */
export function MatchesView({ turn }: { turn: number }) {
  const { data, refused } = useLoaded<CoverageDocument>('/api/coverage', turn);
  const [filter, setFilter] = useState<Filter>({ list: '', text: '' });
  if (data === null) return <Waiting title="Matches" refused={refused} />;
  if (data.hunts === null) {
    return (
      <Page title="Matches">
        <p class="soft">No list is always hunted. Put one into ./hunts, then: edrlake hunt --standing</p>
      </Page>
    );
  }
  const { lists } = data.hunts;
  return (
    <Page title="Matches" about="of the lists that are always hunted">
      <section class="card" aria-label="Lists">
        <HuntLists hunts={data.hunts} data={data} />
      </section>
      <FilterForm names={lists.map(({ name }) => name)} filter={filter} onChange={setFilter} />
      <Matches filter={filter} turn={turn} />
    </Page>
  );
}

interface FilterFormProps {
  readonly names: readonly string[];
  readonly filter: Filter;
  readonly onChange: (filter: Filter) => void;
}

function FilterForm({ names, filter, onChange }: FilterFormProps) {
  const [text, setText] = useState(filter.text);
  return (
    <form
      class="row card"
      aria-label="Filter"
      onSubmit={(event) => {
        event.preventDefault();
        onChange({ ...filter, text: text.trim() });
      }}
    >
      <label>
        <span class="hidden-text">List</span>
        <select value={filter.list} onChange={(event) => onChange({ ...filter, list: event.currentTarget.value })}>
          <option value="">all lists</option>
          {names.map((name) => (
            <option value={name}>{name}</option>
          ))}
        </select>
      </label>
      <label class="grow">
        <span class="hidden-text">Part of a value, an indicator, a host or a column</span>
        <input
          type="text"
          value={text}
          placeholder="value, indicator, host or column"
          autocomplete="off"
          onInput={(event) => setText(event.currentTarget.value)}
        />
      </label>
      <button type="submit">Filter</button>
      <a href={linkTo(sqlOf(filter, null))}>As a question</a>
    </form>
  );
}

function sqlOf({ list, text }: Filter, limit: number | null): string {
  const texts = 'concat_ws(chr(10), value, indicator, host, column_name)';
  const where = [
    ...(list === '' ? [] : [`list = ${sqlText(list)}`]),
    ...(text === '' ? [] : [`contains(lower(${texts}), lower(${sqlText(text)}))`]),
  ];
  return [
    'SELECT list, indicator, value, column_name, host, event_time, event_type, found_at, event_date, event_id',
    'FROM hunt_matches',
    ...(where.length === 0 ? [] : [`WHERE ${where.join(' AND ')}`]),
    'ORDER BY found_at DESC, event_time DESC, event_id',
    ...(limit === null ? [] : [`LIMIT ${limit}`]),
  ].join('\n');
}

function Matches({ filter, turn }: { filter: Filter; turn: number }) {
  const { answer, refused } = useAnswer(sqlOf(filter, SHOWN), turn);
  if (refused !== null) return <Problem refused={refused} />;
  if (answer === null) return <p class="loading">Reading the matches …</p>;
  const { rows } = answer;
  return (
    <section class="card" aria-labelledby="matches">
      <h2 id="matches" aria-live="polite">
        {rows.length >= SHOWN
          ? `the newest ${nounText(SHOWN, 'match', 'matches')}`
          : nounText(rows.length, 'match', 'matches')}
      </h2>
      {rows.length > 0 && <MatchTable rows={rows} />}
    </section>
  );
}

function MatchTable({ rows }: { rows: Answer['rows'] }) {
  const text = (at: number) => (row: readonly unknown[]) => String(row[at] ?? '–');
  return (
    <Table
      label="Matches"
      tall
      rows={rows}
      columns={[
        {
          title: 'event',
          class: 'nowrap',
          cell: ([, , , , , at, , , day, id]) => (
            <a href={linkTo(eventSql(String(day), String(id)))}>
              {instant(isoOf(at))}
              <span class="hidden-text"> event {String(id)}</span>
            </a>
          ),
        },
        { title: 'list', cell: text(0) },
        { title: 'indicator', class: 'path', cell: text(1) },
        { title: 'value', class: 'path', cell: text(2) },
        { title: 'column', cell: text(3) },
        { title: 'host', cell: text(4) },
        { title: 'type', cell: text(6) },
        { title: 'found', class: 'nowrap', cell: (row) => instant(isoOf(row[7])) },
      ]}
    />
  );
}

function isoOf(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

function eventSql(day: string, id: string): string {
  return `SELECT *\nFROM events\nWHERE event_date = ${sqlText(day)} AND event_id = ${sqlText(id)}`;
}

/** Asks again whenever the statement or `turn` changes. */
function useAnswer(sql: string, turn: number): { readonly answer: Answer | null; readonly refused: Refused | null } {
  const [found, setFound] = useState<{ sql: string; answer: Answer | null; refused: Refused | null } | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ sql }) };
    ask<Answer>('/api/ask', { ...init, signal: abort.signal }).then(
      (answer) => setFound({ sql, answer, refused: null }),
      (thrown) => {
        if (!abort.signal.aborted) setFound({ sql, answer: null, refused: asRefused(thrown) });
      },
    );
    return () => abort.abort();
  }, [sql, turn]);
  return found?.sql === sql ? found : { answer: null, refused: null };
}

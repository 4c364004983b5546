import { countText, durationText } from '@edrlake/core/quantities';
import type { RunDocument } from '../../../src/documents/documents.ts';
import { useLoaded } from '../api.ts';
import { instant } from '../format.ts';
import { Page, Table, Waiting } from '../parts/parts.tsx';

interface Line {
  readonly what: string;
  readonly texts: readonly [string, string];
  readonly change: string;
}

/** Two runs side by side: what they did, how fast, and with which settings. */
export function CompareView({ ids, turn }: { ids: readonly [string, string]; turn: number }) {
  const first = useLoaded<RunDocument>(`/api/runs/${encodeURIComponent(ids[0])}`, turn);
  const second = useLoaded<RunDocument>(`/api/runs/${encodeURIComponent(ids[1])}`, turn);
  if (first.data === null || second.data === null) {
    return <Waiting title="Two runs" refused={first.refused ?? second.refused} />;
  }
  const both: [RunDocument, RunDocument] = [first.data, second.data];
  return (
    <Page title="Two runs" about={<a href="#/runs">All runs</a>}>
      <section class="card" aria-label="Comparison">
        <Table<Line>
          label="Comparison"
          rows={[...summaryLines(both), ...paramLines(both), ...taskLines(both)]}
          columns={[
            { title: 'what', cell: ({ what }) => what },
            { title: ids[0], right: true, cell: ({ texts }) => texts[0] },
            { title: ids[1], right: true, cell: ({ texts }) => texts[1] },
            { title: 'change', right: true, cell: ({ change }) => change },
          ]}
        />
      </section>
    </Page>
  );
}

function summaryLines(both: readonly [RunDocument, RunDocument]): Line[] {
  const text = (what: string, of: (run: RunDocument) => string): Line => {
    const texts = [of(both[0]), of(both[1])] as const;
    return { what, texts, change: texts[0] === texts[1] ? 'same' : 'differs' };
  };
  const perSecond = ({ rows, durationMs }: RunDocument) =>
    rows === null || durationMs === 0 ? null : (rows / durationMs) * 1_000;
  const perRequest = ({ rows, requests }: RunDocument) => (rows === null || !requests ? null : rows / requests);
  return [
    text('kind', (run) => run.pipeline ?? run.kind),
    text('state', ({ state }) => state),
    { ...text('started', ({ startedAt }) => instant(startedAt)), change: '' },
    numbers('took', both, ({ durationMs }) => durationMs, durationText),
    numbers('requests', both, ({ requests }) => requests, countText),
    numbers('rows', both, ({ rows }) => rows, countText),
    numbers('rows a second', both, perSecond, (value) => countText(Math.round(value))),
    numbers('rows a request', both, perRequest, (value) => countText(Math.round(value))),
    numbers('windows', both, ({ progress }) => progress?.windows ?? null, countText),
    numbers('pages', both, ({ progress }) => progress?.pagesDone ?? null, countText),
    numbers('page size', both, ({ progress }) => progress?.pageSize ?? null, countText),
    text('error', ({ error }) => error?.code ?? 'none'),
  ];
}

function numbers(
  what: string,
  [a, b]: readonly [RunDocument, RunDocument],
  of: (run: RunDocument) => number | null,
  text: (value: number) => string,
): Line {
  const [x, y] = [of(a), of(b)];
  const texts = [x === null ? '–' : text(x), y === null ? '–' : text(y)] as const;
  if (x === null || y === null) return { what, texts, change: '' };
  return { what, texts, change: x === y ? 'same' : x === 0 ? 'new' : `× ${(y / x).toFixed(2)}` };
}

function paramLines([a, b]: readonly [RunDocument, RunDocument]): Line[] {
  const names = [...new Set([...Object.keys(a.params), ...Object.keys(b.params)])];
  return names.map((name) => {
    const texts = [String(a.params[name] ?? '–'), String(b.params[name] ?? '–')] as const;
    return { what: `param ${name}`, texts, change: texts[0] === texts[1] ? 'same' : 'differs' };
  });
}

function taskLines([a, b]: readonly [RunDocument, RunDocument]): Line[] {
  const names = [...new Set([...a.tasks, ...b.tasks].map(({ name }) => name))];
  return names.map((name) => {
    const of = (run: RunDocument) => run.tasks.find((task) => task.name === name);
    const text = (run: RunDocument) => {
      const task = of(run);
      return task === undefined ? '–' : `${task.state}, ${durationText(task.durationMs)}`;
    };
    const [x, y] = [of(a)?.durationMs ?? 0, of(b)?.durationMs ?? 0];
    return { what: `task ${name}`, texts: [text(a), text(b)], change: x > 0 && y > 0 ? `× ${(y / x).toFixed(2)}` : '' };
  });
}

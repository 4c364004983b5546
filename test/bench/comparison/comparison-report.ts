import type { LimitFigures } from '../contestants/limit.ts';
import { type Spread, spreadBy, spreadOf } from '../figures/spread.ts';
import type { Target } from '../figures/targets.ts';
import { mebibytes, numberText, spreadText, tableText } from '../figures/text.ts';
import { type Entry, FLOOR, isWriter, type Rounds } from './rounds.ts';
import type { StageSetting } from './stage.ts';

/** One contestant over all rounds. */
export interface ContestantFigures {
  readonly wallSeconds: Spread;
  readonly cpuSeconds: Spread;
  /** Of all threads, in microseconds. */
  readonly cpuUsPerEvent: Spread;
  /** The least that an event can take on this machine over that; null for what does not make tables. */
  readonly limitShare: number | null;
  /** The same, with Parquet encoded by DuckDB. */
  readonly reachableShare: number | null;
  readonly eventsPerSecond: Spread;
  readonly peakMiB: Spread;
  readonly bytesPerEvent: number | null;
}

/** The figures of one size. */
export interface ComparisonFigures {
  readonly events: number;
  readonly rounds: number;
  /** Each round's edrlake over the same round's floor. */
  readonly wallRatio: Spread;
  readonly cpuRatio: Spread;
  readonly limit: LimitFigures;
  /** How many times faster the gateway delivers to a client that drops all data. */
  readonly serverHeadroom: Spread;
  readonly requestRatio: number;
  readonly forwarded: number;
  readonly lowerBound: number;
  readonly requests: number;
  readonly contestants: Readonly<Record<string, ContestantFigures>>;
  /** Each round's edrlake over the same round's other build. */
  readonly others: Readonly<Record<string, { readonly wallRatio: Spread; readonly cpuRatio: Spread }>>;
}

/** Contestants of every run. */
const STANDING: readonly string[] = ['edrlake', FLOOR, 'duckdb-spill', 'parse', 'server'];

/** Computes the figures from the rounds. */
export function comparisonFigures(setting: StageSetting, { entries, stored, limit }: Rounds): ComparisonFigures {
  const { events, pageSize } = setting;
  const of = (contestant: string) => entries.filter((entry) => entry.contestant === contestant);
  const edrlake = of('edrlake');
  const per = (base: readonly Entry[], value: (entry: Entry) => number) =>
    spreadOf(edrlake.map((entry, index) => value(entry) / value(base[index] ?? entry)));
  const server = of('server');
  const lowerBound = Math.ceil(events / pageSize);
  const requests = Math.max(...edrlake.map((entry) => entry.requests));
  const names = [...new Set(entries.map(({ contestant }) => contestant))];
  const share = (contestant: string, leastUs: number, usPerEvent: Spread) =>
    isWriter(contestant) ? leastUs / usPerEvent.median : null;
  const figures = (contestant: string): ContestantFigures => {
    const cpuUsPerEvent = spreadBy(of(contestant), (entry) => (entry.cpuSeconds / events) * 1e6);
    return {
      wallSeconds: spreadBy(of(contestant), (entry) => entry.wallSeconds),
      cpuSeconds: spreadBy(of(contestant), (entry) => entry.cpuSeconds),
      cpuUsPerEvent,
      limitShare: share(contestant, limitUs(limit), cpuUsPerEvent),
      reachableShare: share(contestant, reachableUs(limit), cpuUsPerEvent),
      eventsPerSecond: spreadBy(of(contestant), (entry) => events / secondsOf(entry)),
      peakMiB: spreadBy(of(contestant), (entry) => mebibytes(entry.peakBytes)),
      bytesPerEvent: stored[contestant] === undefined ? null : stored[contestant].fileBytes / events,
    };
  };
  return {
    events,
    rounds: edrlake.length,
    limit,
    wallRatio: per(of(FLOOR), (entry) => entry.wallSeconds),
    cpuRatio: per(of(FLOOR), (entry) => entry.cpuSeconds),
    serverHeadroom: spreadOf(edrlake.map((entry, index) => entry.wallSeconds / secondsOf(server[index] ?? entry))),
    requestRatio: requests / lowerBound,
    forwarded: entries.reduce((sum, entry) => sum + entry.forwarded, 0),
    lowerBound,
    requests,
    contestants: Object.fromEntries(names.map((name) => [name, figures(name)])),
    others: Object.fromEntries(
      names
        .filter((name) => !STANDING.includes(name))
        .map((name) => [
          name,
          {
            wallRatio: per(of(name), (entry) => entry.wallSeconds),
            cpuRatio: per(of(name), (entry) => entry.cpuSeconds),
          },
        ]),
    ),
  };
}

/** The time of the work itself where a program reports it; otherwise from start to exit. */
function secondsOf({ details, wallSeconds }: Entry): number {
  const said = details.parseSeconds ?? details.seconds;
  return typeof said === 'number' ? said : wallSeconds;
}

/** Inflating, parsing and compressing, which no way around leaves out. */
function limitUs({ inflateUs, parseUs, compressUs }: LimitFigures): number {
  return inflateUs + parseUs + compressUs;
}

function reachableUs(limit: LimitFigures): number {
  return limitUs(limit) + limit.encodeUs;
}

function limitText(limit: LimitFigures): string {
  return tableText(
    ['one core of this machine, each alone', 'µs/event'],
    [
      ['inflate gzip (zlib in Node)', numberText(limit.inflateUs)],
      ['parse JSON (yyjson in DuckDB)', numberText(limit.parseUs)],
      ['compress Parquet (zstd 1 in DuckDB)', numberText(limit.compressUs)],
      ['limit: the three together', numberText(limitUs(limit))],
      ['encode Parquet (DuckDB)', numberText(limit.encodeUs)],
      ['reachable: the four together', numberText(reachableUs(limit))],
    ],
  );
}

function percentText(share: number | null): string {
  return share === null ? '' : `${numberText(share * 100)} %`;
}

/** Ratios first, then the limit, then each contestant. */
export function comparisonText(figures: ComparisonFigures): string {
  const ratios = tableText(
    ['ratio', 'median (min–max)'],
    [
      [`wall time, edrlake / ${FLOOR}`, spreadText(figures.wallRatio)],
      [`CPU time, edrlake / ${FLOOR}`, spreadText(figures.cpuRatio)],
      ...Object.entries(figures.others).flatMap(([name, { wallRatio, cpuRatio }]) => [
        [`wall time, edrlake / ${name}`, spreadText(wallRatio)],
        [`CPU time, edrlake / ${name}`, spreadText(cpuRatio)],
      ]),
      ['the server alone, times as fast as edrlake', spreadText(figures.serverHeadroom)],
      [
        `requests ${numberText(figures.requests)} / lower bound ${numberText(figures.lowerBound)}`,
        numberText(figures.requestRatio),
      ],
      ['requests that no recording held', numberText(figures.forwarded)],
    ],
  );
  const rows = Object.entries(figures.contestants);
  const times = tableText(
    ['', 'wall s', 'CPU µs/event', 'limit', 'reachable'],
    rows.map(([name, row]) => [
      name,
      spreadText(row.wallSeconds),
      spreadText(row.cpuUsPerEvent),
      percentText(row.limitShare),
      percentText(row.reachableShare),
    ]),
  );
  const sizes = tableText(
    ['', 'events/s', 'peak MiB', 'bytes/event'],
    rows.map(([name, row]) => [
      name,
      spreadText(row.eventsPerSecond),
      spreadText(row.peakMiB),
      row.bytesPerEvent === null ? '' : numberText(row.bytesPerEvent),
    ]),
  );
  return [ratios, limitText(figures.limit), times, sizes].join('\n\n');
}

const CPU_REASON =
  'flattening and writing take as much as the floor; fetching and scanning each record in JavaScript as much again: ' +
  'its compiling and collecting, comparing ids, looking for unknown fields, digests, synced files. A scan in ' +
  'WebAssembly and columns in the spool would save a tenth (docs/performance.md).';

const MEMORY_REASON =
  'DuckDB may take 256 MB and its allocator keeps more; JavaScript has 55 to 60 MiB and pages outside of its heap. ' +
  'With 128 MB the batches spill, which costs a fifth of the CPU time (docs/performance.md).';

/** The targets for one size. */
export function comparisonTargets(figures: ComparisonFigures): Target[] {
  const size = `at ${numberText(figures.events)}`;
  const note = figures.events === 1_000_000 ? {} : { note: 'CPU time and memory are wanted for 1,000,000 events.' };
  const edrlake = figures.contestants.edrlake;
  return [
    {
      name: `CPU time / ${FLOOR} ${size}`,
      measured: figures.cpuRatio.median,
      bound: 'at most',
      limit: 1,
      unit: '×',
      ...note,
      reason: CPU_REASON,
    },
    {
      name: `peak memory ${size}`,
      measured: edrlake?.peakMiB.max ?? Number.NaN,
      bound: 'at most',
      limit: 512,
      unit: 'MiB',
      reason: MEMORY_REASON,
    },
    {
      name: `server alone / edrlake ${size}`,
      measured: figures.serverHeadroom.min,
      bound: 'at least',
      limit: 3,
      unit: '×',
    },
  ];
}

/** The targets for the largest size compared with the smallest, where several were measured. */
export function growthTargets(sizes: readonly ComparisonFigures[]): Target[] {
  const sorted = [...sizes].sort((a, b) => a.events - b.events);
  const [small, large] = [sorted[0], sorted.at(-1)];
  if (small === undefined || large === undefined || small.events === large.events) return [];
  const between = `${numberText(small.events)} to ${numberText(large.events)}`;
  const growth = (value: (figures: ComparisonFigures) => number) => (value(large) / value(small) - 1) * 100;
  const edrlake = ({ contestants }: ComparisonFigures) => contestants.edrlake as ContestantFigures;
  return [
    {
      name: `CPU time per event, ${between}`,
      measured: growth((figures) => edrlake(figures).cpuUsPerEvent.median),
      bound: 'at most',
      limit: 5,
      unit: '% more',
    },
    {
      name: `wall time per event, ${between}`,
      measured: growth((figures) => edrlake(figures).wallSeconds.median / figures.events),
      bound: 'at most',
      limit: 5,
      unit: '% more',
    },
    {
      name: `peak memory, ${between}`,
      measured: growth((figures) => edrlake(figures).peakMiB.median),
      bound: 'at most',
      limit: 5,
      unit: '% more',
      reason:
        "the floor's memory grows alike: it is DuckDB's allocator. It does not go on growing, 20,000,000 events take " +
        'as much as 5,000,000.',
    },
  ];
}

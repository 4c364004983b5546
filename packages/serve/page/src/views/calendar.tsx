import { countText } from '@edrlake/core/quantities';
import { DAY_STATE_NAMES, type DayState } from '@edrlake/runner/states';
import { useMemo, useRef, useState } from 'preact/hooks';
import { holeOf } from '../parts/parts.tsx';

const MS_PER_DAY = 86_400_000;
/** Of a day, and with the gap behind it. */
const [SIZE, STEP] = [10, 12];
const HEAD = 14;
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

type Spans = readonly (readonly [string, number, DayState])[];

interface Year {
  readonly year: number;
  /** One path for all days of a state. */
  readonly paths: ReadonlyMap<DayState, string>;
  readonly holes: string;
  readonly empty: string;
}

/** All days, a year in each picture: columns are weeks, rows are Monday to Sunday. Newest year first. */
export function Calendar({ spans }: { spans: Spans }) {
  const years = useMemo(() => yearsOf(spans), [spans]);
  const [cursor, setCursor] = useState<number | null>(null);
  const first = Date.parse(spans[0]?.[0] ?? '');
  const end = spans.reduce((ms, [, days]) => ms + days * MS_PER_DAY, first);
  const move = (ms: number) => setCursor(Math.max(first, Math.min(end - MS_PER_DAY, ms)));
  return (
    <>
      <p class="hint" role="status">
        {cursor === null
          ? 'Choose a day to see why it is in its state. With the keyboard: arrow keys, then Enter.'
          : `${dayOf(cursor)}: ${DAY_STATE_NAMES[stateAt(spans, cursor)]}`}
      </p>
      <div class="years">
        {years.map((year) => (
          <YearPicture year={year} spans={spans} cursor={cursor} onMove={move} ends={[first, end]} />
        ))}
      </div>
    </>
  );
}

interface YearProps {
  readonly year: Year;
  readonly spans: Spans;
  readonly cursor: number | null;
  readonly onMove: (ms: number) => void;
  readonly ends: readonly [number, number];
}

function YearPicture({ year: { year, paths, holes, empty }, spans, cursor, onMove, ends }: YearProps) {
  const picture = useRef<SVGSVGElement>(null);
  const [startMs, endMs] = [Date.UTC(year, 0, 1), Date.UTC(year + 1, 0, 1)];
  const isHere = cursor !== null && cursor >= startMs && cursor < endMs;
  const newestHere = Math.min(endMs, ends[1]) - MS_PER_DAY;
  const dayAt = (event: PointerEvent | MouseEvent): number | null => {
    const box = picture.current?.getBoundingClientRect();
    if (box === undefined) return null;
    const scale = WIDTH / box.width;
    const [column, row] = [
      Math.floor(((event.clientX - box.left) * scale) / STEP),
      Math.floor(((event.clientY - box.top) * scale - HEAD) / STEP),
    ];
    if (row < 0 || row > 6) return null;
    const ms = startMs + (column * 7 + row - weekday(startMs)) * MS_PER_DAY;
    return ms >= startMs && ms < endMs && ms >= ends[0] && ms < ends[1] ? ms : null;
  };
  const onKey = (event: KeyboardEvent) => {
    const from = isHere ? cursor : newestHere;
    if (event.key === 'Enter' || event.key === ' ') open(from);
    const steps: Record<string, number> = {
      ArrowUp: -1,
      ArrowDown: 1,
      ArrowLeft: -7,
      ArrowRight: 7,
      PageUp: -365,
      PageDown: 365,
    };
    const step = steps[event.key];
    if (event.key === 'Enter' || event.key === ' ' || step !== undefined) event.preventDefault();
    if (step === undefined) return;
    const to = from + step * MS_PER_DAY;
    onMove(to);
    const target = new Date(Math.max(ends[0], Math.min(ends[1] - MS_PER_DAY, to))).getUTCFullYear();
    if (target !== year) document.getElementById(`year-${target}`)?.focus();
  };
  const counts = [...paths.keys()].map(
    (state) => `${countText(daysIn(spans, state, startMs, endMs))} ${DAY_STATE_NAMES[state]}`,
  );
  return (
    <div class="year">
      <h3 id={`head-${year}`}>{year}</h3>
      <svg
        ref={picture}
        id={`year-${year}`}
        viewBox={`0 0 ${WIDTH} ${HEAD + 7 * STEP}`}
        role="application"
        aria-roledescription="calendar"
        aria-label={`${year}: ${counts.join(', ')}. Arrow keys choose a day, Enter opens it.`}
        tabIndex={0}
        onKeyDown={onKey}
        onFocus={() => isHere || onMove(newestHere)}
        onPointerMove={(event) => {
          const ms = dayAt(event);
          if (ms !== null && ms !== cursor) onMove(ms);
        }}
        onClick={(event) => {
          const ms = dayAt(event);
          if (ms !== null) open(ms);
        }}
      >
        {MONTHS.map((name, month) => (
          <text x={columnOf(Date.UTC(year, month, 1), startMs) * STEP} y={9}>
            {name}
          </text>
        ))}
        <path class="s-none" d={empty} />
        {[...paths].map(([state, path]) => (
          <path class={`s-${state}`} d={path} />
        ))}
        <path class="holes" d={holes} />
        {isHere && (
          <rect
            class="cursor"
            x={columnOf(cursor, startMs) * STEP - 0.5}
            y={HEAD + weekday(cursor) * STEP - 0.5}
            width={SIZE + 1}
            height={SIZE + 1}
            rx={2}
          />
        )}
      </svg>
    </div>
  );
}

const WIDTH = 54 * STEP - (STEP - SIZE);

/** All days of a year, below those that the lake knows. */
function emptyDays(startMs: number, endMs: number): string {
  let path = '';
  for (let ms = startMs; ms < endMs; ms += MS_PER_DAY) path += square(ms, startMs);
  return path;
}

function square(ms: number, yearMs: number): string {
  return `M${columnOf(ms, yearMs) * STEP} ${HEAD + weekday(ms) * STEP}h${SIZE}v${SIZE}h-${SIZE}z`;
}

function open(ms: number): void {
  location.hash = `#/day/${dayOf(ms)}`;
}

function yearsOf(spans: Spans): Year[] {
  const parts = new Map<number, Map<DayState, string[]>>();
  const holes = new Map<number, string[]>();
  for (const [first, days, state] of spans) {
    const startMs = Date.parse(first);
    for (let day = 0; day < days; day += 1) {
      const ms = startMs + day * MS_PER_DAY;
      const year = new Date(ms).getUTCFullYear();
      const ofYear = parts.get(year) ?? new Map<DayState, string[]>();
      parts.set(year, ofYear);
      const [x, y] = [columnOf(ms, Date.UTC(year, 0, 1)) * STEP, HEAD + weekday(ms) * STEP];
      const path = square(ms, Date.UTC(year, 0, 1));
      const ofState = ofYear.get(state);
      if (ofState === undefined) ofYear.set(state, [path]);
      else ofState.push(path);
      const hole = holeOf(state, x, y);
      if (hole !== '') holes.set(year, [...(holes.get(year) ?? []), hole]);
    }
  }
  return [...parts.keys()]
    .sort((a, b) => b - a)
    .map((year) => ({
      year,
      paths: new Map([...(parts.get(year) ?? [])].map(([state, path]) => [state, path.join('')])),
      holes: (holes.get(year) ?? []).join(''),
      empty: emptyDays(Date.UTC(year, 0, 1), Date.UTC(year + 1, 0, 1)),
    }));
}

/** 0 for Monday. */
function weekday(ms: number): number {
  return (new Date(ms).getUTCDay() + 6) % 7;
}

function columnOf(ms: number, yearMs: number): number {
  return Math.floor(((ms - yearMs) / MS_PER_DAY + weekday(yearMs)) / 7);
}

function dayOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 10);
}

function stateAt(spans: Spans, ms: number): DayState {
  return spans.findLast(([first]) => Date.parse(first) <= ms)?.[2] ?? 'unplanned';
}

function daysIn(spans: Spans, state: DayState, startMs: number, endMs: number): number {
  return spans.reduce((sum, [first, days, of]) => {
    const from = Date.parse(first);
    const shared = Math.min(endMs, from + days * MS_PER_DAY) - Math.max(startMs, from);
    return of === state && shared > 0 ? sum + shared / MS_PER_DAY : sum;
  }, 0);
}

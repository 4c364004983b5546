import { durationText, nounText } from '@edrlake/core/quantities';
import { useState } from 'preact/hooks';
import type { FreshnessDocument } from '../../../src/documents/documents.ts';
import { useLoaded } from '../api.ts';
import { ago, instant } from '../format.ts';
import { Page, Problem, Tile, Waiting, When } from '../parts/parts.tsx';

const SPANS = [
  [7, '7 days'],
  [30, '30 days'],
  [90, '90 days'],
  [365, 'a year'],
  [3_660, '10 years'],
] as const;

/** How late events came, and how old the newest is. */
export function FreshnessView({ turn }: { turn: number }) {
  const [days, setDays] = useState(30);
  const { data, refused } = useLoaded<FreshnessDocument>(`/api/freshness?days=${days}`, turn);
  if (data === null) return <Waiting title="Freshness" refused={refused} />;
  return (
    <Page
      title="Freshness"
      about={
        <label>
          events of the newest{' '}
          <select value={days} onChange={(event) => setDays(Number(event.currentTarget.value))}>
            {SPANS.map(([value, name]) => (
              <option value={value}>{name}</option>
            ))}
          </select>
        </label>
      }
    >
      {refused !== null && <Problem refused={refused} />}
      <div class="tiles">
        <Tile
          name="Watermark"
          value={data.watermark === null ? 'never synced' : ago(data.watermark, data.now)}
          more={instant(data.watermark)}
        />
        <When name="Proven until" at={data.provenUntil} now={data.now} />
        <When name="Newest event" at={data.newestEventAt} now={data.now} />
        <Tile name="Last commit" value={ago(data.committedAt, data.now) || 'none'} more={instant(data.committedAt)} />
        <Lag name="Settle lag for 99 %" seconds={data.lags?.seconds99 ?? null} />
        <Lag name="Settle lag for 99.9 %" seconds={data.lags?.seconds999 ?? null} />
      </div>
      <section class="card" aria-labelledby="heat">
        <h2 id="heat">How late events came</h2>
        {data.columns === null || data.lags === null || data.lags.events === 0 ? (
          <p class="soft">No event here has a time of processing.</p>
        ) : (
          <Heat data={data} />
        )}
      </section>
    </Page>
  );
}

function Lag({ name, seconds }: { name: string; seconds: number | null }) {
  return (
    <Tile name={name} value={seconds === null ? '–' : durationText(seconds * 1_000)} more="until they were processed" />
  );
}

const [WIDTH, LEFT, ROW, FOOT] = [1_000, 84, 22, 24];

/** Columns are event time, rows the delay; the darker, the more events. */
function Heat({ data: { columns, cells, delaysSeconds, lags } }: { data: FreshnessDocument }) {
  if (columns === null || lags === null) return null;
  const rows = delaysSeconds.length + 1;
  const width = (WIDTH - LEFT) / columns.count;
  const height = rows * ROW + FOOT;
  const most = Math.max(1, ...cells.map(([, , events]) => events ?? 0));
  // Late events are few: with the share itself they would not be seen.
  const strength = (events: number) => 0.12 + 0.88 * (Math.log1p(events) / Math.log1p(most));
  const yOf = (row: number) => (rows - 1 - row) * ROW;
  const delayText = (row: number) => {
    const upper = delaysSeconds[row];
    return upper === undefined
      ? `over ${durationText((delaysSeconds[row - 1] ?? 0) * 1_000)}`
      : `≤ ${durationText(upper * 1_000)}`;
  };
  const timeOf = (bin: number) => new Date(Date.parse(columns.start) + bin * columns.binSeconds * 1_000).toISOString();
  const label = `${nounText(lags.events, 'event')}: 99 % were processed within ${durationText((lags.seconds99 ?? 0) * 1_000)}, 99.9 % within ${durationText((lags.seconds999 ?? 0) * 1_000)}.`;
  const markAt = (seconds: number | null) => {
    const row = delaysSeconds.findIndex((upper) => (seconds ?? 0) <= upper);
    return yOf(row < 0 ? rows - 1 : row);
  };
  const every = Math.max(1, Math.ceil(columns.count / 7));
  return (
    <>
      <div class="scroll" tabIndex={0} role="group" aria-label="Heat map">
        <svg
          class="heat"
          style={{ minWidth: '34rem' }}
          viewBox={`0 0 ${WIDTH} ${height}`}
          role="img"
          aria-label={label}
        >
          {Array.from({ length: rows }, (_, row) => (
            <text x={LEFT - 8} y={yOf(row) + 15} text-anchor="end">
              {delayText(row)}
            </text>
          ))}
          {cells.map(([bin = 0, row = 0, events = 0]) => (
            <rect
              x={LEFT + bin * width}
              y={yOf(row)}
              width={Math.max(1, width - 1)}
              height={ROW - 1}
              fill-opacity={strength(events)}
            >
              <title>{`${instant(timeOf(bin)).slice(0, 16)}, ${delayText(row)}: ${nounText(events, 'event')}`}</title>
            </rect>
          ))}
          {(
            [
              ['99 %', lags.seconds99],
              ['99.9 %', lags.seconds999],
            ] as const
          ).map(([name, seconds]) => (
            <>
              <line class="mark" x1={LEFT} x2={WIDTH} y1={markAt(seconds)} y2={markAt(seconds)} />
              <text class="mark-text" x={WIDTH - 4} y={markAt(seconds) - 4} text-anchor="end">
                {name}
              </text>
            </>
          ))}
          {Array.from({ length: Math.ceil((columns.count - every / 2) / every) }, (_, index) => (
            <text x={LEFT + index * every * width} y={height - 7}>
              {timeOf(index * every)
                .slice(0, columns.binSeconds < 86_400 ? 13 : 10)
                .replace('T', ' ')}
              {columns.binSeconds < 86_400 ? 'h' : ''}
            </text>
          ))}
        </svg>
      </div>
      <p class="soft small">
        {label} A settle lag that long would have caught them at the first sync.
        {lags.without > 0 && ` ${nounText(lags.without, 'event')} without a time of processing are left out.`}
      </p>
    </>
  );
}

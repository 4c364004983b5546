import { isoInstant, MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND } from '@edrlake/core';
import type { QueryValue } from '@edrlake/lake';
import type { FreshnessDocument } from '../documents/documents.ts';
import { isoOrNull } from './instants.ts';
import { type PageContext, pageStatus } from './page-context.ts';

/** Upper ends of the delays, a row of the heat map each; the last row has all that is later. */
const DELAYS_MS = [
  ...[1, 2, 5, 10, 15, 30].map((minutes) => minutes * MS_PER_MINUTE),
  ...[1, 2, 4, 8, 24].map((hours) => hours * MS_PER_HOUR),
  ...[3, 7].map((days) => days * MS_PER_DAY),
];

const COLUMNS = 90;

/**
 * How late events came: their number by event time and by the delay until they were processed.
 * @param days of event time, up to the newest event
 */
export async function freshnessDocument(
  days: number,
  context: PageContext,
  signal: AbortSignal,
): Promise<FreshnessDocument> {
  const { clock } = context;
  const nowMs = clock.nowMs();
  const status = await pageStatus(context, nowMs);
  const head = {
    now: isoInstant(nowMs),
    watermark: isoOrNull(status.watermarkMs),
    provenUntil: isoOrNull(status.freshUntilMs),
    newestEventAt: isoOrNull(status.newestEventAtMs),
    committedAt: isoOrNull(status.committedAtMs),
    delaysSeconds: DELAYS_MS.map((ms) => ms / MS_PER_SECOND),
  };
  const newestMs = status.newestEventAtMs;
  if (newestMs === null) return { ...head, columns: null, cells: [], lags: null };
  const binMs = binOf(days * MS_PER_DAY);
  const endMs = (Math.floor(newestMs / binMs) + 1) * binMs;
  const startMs = endMs - Math.ceil((days * MS_PER_DAY) / binMs) * binMs;
  const cells = await rowsOf(context, cellsSql(startMs, endMs, binMs), signal);
  const [lags] = await rowsOf(context, lagsSql(startMs, endMs), signal);
  const [lag99, lag999, events, without] = (lags ?? []).map((value) => (value === null ? null : Number(value)));
  return {
    ...head,
    columns: { start: isoInstant(startMs), binSeconds: binMs / MS_PER_SECOND, count: (endMs - startMs) / binMs },
    cells: cells.map((row) => row.map(Number)),
    lags: { seconds99: lag99 ?? null, seconds999: lag999 ?? null, events: events ?? 0, without: without ?? 0 },
  };
}

/** The shortest length with which `COLUMNS` columns are enough. */
function binOf(spanMs: number): number {
  const lengths = [1, 2, 6, 12, 24, 48, 96, 192, 384].map((hours) => hours * MS_PER_HOUR);
  return lengths.find((ms) => spanMs / ms <= COLUMNS) ?? MS_PER_DAY * 384;
}

const DELAY = "date_diff('millisecond', event_time, processed_time)";

function within(startMs: number, endMs: number): string {
  const day = (ms: number) => isoInstant(ms).slice(0, 10);
  return `event_date BETWEEN DATE '${day(startMs)}' AND DATE '${day(endMs - 1)}'`;
}

function cellsSql(startMs: number, endMs: number, binMs: number): string {
  const steps = DELAYS_MS.map((ms, row) => `WHEN delay <= ${ms} THEN ${row}`).join(' ');
  return `SELECT bin, CASE ${steps} ELSE ${DELAYS_MS.length} END AS delay_row, count(*) AS events FROM (
    SELECT (epoch_ms(event_time) - ${startMs}) // ${binMs} AS bin, ${DELAY} AS delay FROM events
    WHERE ${within(startMs, endMs)} AND processed_time IS NOT NULL)
    WHERE bin >= 0 GROUP BY ALL ORDER BY ALL`;
}

function lagsSql(startMs: number, endMs: number): string {
  const quantile = (share: number) => `ceil(greatest(0, quantile_disc(${DELAY}, ${share})) / 1000)`;
  return `SELECT ${quantile(0.99)}, ${quantile(0.999)}, count(processed_time), count(*) - count(processed_time)
    FROM events WHERE ${within(startMs, endMs)}`;
}

async function rowsOf({ lake }: PageContext, sql: string, signal: AbortSignal): Promise<(readonly QueryValue[])[]> {
  const { rows } = await lake.query(sql, { signal });
  const all: (readonly QueryValue[])[] = [];
  for await (const chunk of rows) all.push(...chunk);
  return all;
}

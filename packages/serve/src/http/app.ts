import { EdrlakeError, type ErrorCode, toEdrlakeError } from '@edrlake/core';
import { METRICS_TYPE } from '@edrlake/telemetry';
import { type Context, Hono } from 'hono';
import { bodyLimit } from 'hono/body-limit';
import { ASK_LIMITS, answer, createSeats } from '../data/ask.ts';
import { coverageDocument } from '../data/coverage.ts';
import { dayDocument } from '../data/day.ts';
import { download } from '../data/download.ts';
import { freshnessDocument } from '../data/freshness.ts';
import { lakeMetricsText } from '../data/metrics.ts';
import type { PageContext } from '../data/page-context.ts';
import { questionsDocument } from '../data/questions.ts';
import { requestsDocument } from '../data/requests.ts';
import { runDocument, runsDocument } from '../data/runs.ts';
import { tablesDocument } from '../data/tables.ts';
import type { Asset } from './assets.ts';
import { type Admission, guards } from './guards.ts';
import type { Live } from './live.ts';

/** What the routes need besides the lake. */
export interface AppParts {
  readonly page: PageContext;
  readonly admission: Admission;
  readonly assets: ReadonlyMap<string, Asset>;
  readonly live: Live;
  /** Ends everything that is being answered. */
  readonly stopped: AbortSignal;
}

const STATUS: Partial<Readonly<Record<ErrorCode, 400 | 404 | 408 | 422>>> = {
  USAGE: 400,
  RANGE_INVALID: 400,
  RUN_MISSING: 404,
  QUERY_FAILED: 422,
  INTERRUPTED: 408,
};

/** All routes. Those of data answer JSON; an error is `{ error: { code, message, hint } }`. */
export function createApp({ page, admission, assets, live, stopped }: AppParts): Hono {
  const app = new Hono();
  app.use('*', guards(admission));
  app.get('/api/coverage', async (context) => context.json(await coverageDocument(page)));
  app.get('/api/days/:day', async (context) => context.json(await dayDocument(context.req.param('day'), page)));
  app.get('/api/runs', async (context) => context.json(await runsDocument(page)));
  app.get('/api/runs/:id', async (context) => context.json(await runDocument(context.req.param('id'), page)));
  app.get('/api/tables', async (context) => context.json(await tablesDocument(page)));
  app.get('/api/questions', async (context) => context.json(await questionsDocument(page)));
  app.get('/api/requests', async (context) =>
    context.json(await requestsDocument(numberIn(context, 'hours', 24, 744), page)),
  );
  const stops = (context: Context, ms: number) =>
    AbortSignal.any([context.req.raw.signal, stopped, AbortSignal.timeout(ms)]);
  app.get('/api/freshness', async (context) =>
    context.json(await freshnessDocument(numberIn(context, 'days', 30, 3_660), page, stops(context, ASK_LIMITS.ms))),
  );
  app.get('/api/live', (context) => {
    const headers = { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store', 'X-Accel-Buffering': 'no' };
    return context.body(live.stream(context.req.raw.signal), 200, headers);
  });
  app.get('/metrics', async (context) =>
    context.body(await lakeMetricsText(page), 200, { 'Content-Type': METRICS_TYPE }),
  );
  addQuestions(app, page, stops);
  app.get('*', (context) => assetAnswer(context, assets));
  app.onError((thrown, context) => errorAnswer(thrown, context));
  return app;
}

function addQuestions(app: Hono, page: PageContext, stops: (context: Context, ms: number) => AbortSignal): void {
  const seats = createSeats(ASK_LIMITS.atOnce);
  const limit = bodyLimit({
    maxSize: ASK_LIMITS.sqlLength * 4,
    onError: (context) => context.json(errorOf(tooLong()), 413),
  });
  app.post('/api/ask', limit, async (context) => {
    const sql = statementIn(await context.req.json().catch(() => null));
    const leave = seats.take();
    try {
      return context.json(await answer(sql, page, stops(context, ASK_LIMITS.ms)));
    } finally {
      leave();
    }
  });
  app.post('/api/ask/:format{csv|parquet}', limit, async (context) => {
    const format = context.req.param('format') === 'csv' ? 'csv' : 'parquet';
    const sql = statementIn(await context.req.parseBody().catch(() => null));
    const leave = seats.take();
    const { type, body } = await download(format, sql, page, stops(context, ASK_LIMITS.downloadMs), leave);
    const headers = { 'Content-Type': type, 'Content-Disposition': `attachment; filename="answer.${format}"` };
    return context.body(body, 200, headers);
  });
}

function statementIn(body: unknown): string {
  const sql = typeof body === 'object' && body !== null && 'sql' in body ? body.sql : null;
  if (typeof sql !== 'string' || sql.trim() === '') {
    throw new EdrlakeError('USAGE', 'expected a body with sql', { hint: 'Send {"sql": "from events limit 5"}.' });
  }
  if (sql.length > ASK_LIMITS.sqlLength) throw tooLong();
  return sql;
}

function tooLong(): EdrlakeError {
  return new EdrlakeError('USAGE', `the statement is longer than ${ASK_LIMITS.sqlLength} characters`, {
    hint: 'Use edrlake query with a file.',
  });
}

function numberIn(context: Context, name: string, byDefault: number, most: number): number {
  const text = context.req.query(name);
  if (text === undefined) return byDefault;
  const value = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= most) return value;
  throw new EdrlakeError('USAGE', `${name}: expected a whole number from 1 to ${most}`, { hint: 'Correct it.' });
}

/** Only names that were read at the start are found; what has a digest in its name may be kept for ever. */
function assetAnswer(context: Context, assets: ReadonlyMap<string, Asset>): Response {
  const { path } = context.req;
  const asset = assets.get(path === '/' ? '/index.html' : path);
  if (asset === undefined) return context.text('edrlake serve: there is no such page.\n', 404);
  const headers = {
    'Content-Type': asset.type,
    ETag: asset.etag,
    'Cache-Control': path.startsWith('/assets/') ? 'private, max-age=31536000, immutable' : 'no-cache',
  };
  if (context.req.header('if-none-match') === asset.etag) return context.body(null, 304, headers);
  return context.body(asset.bytes, 200, headers);
}

function errorAnswer(thrown: unknown, context: Context): Response {
  const isLate = thrown instanceof EdrlakeError && thrown.code === 'INTERRUPTED' && isTimeout(thrown.cause);
  const error = isLate
    ? new EdrlakeError('QUERY_FAILED', `it took longer than ${ASK_LIMITS.ms / 1_000} s and was stopped`, {
        hint: 'Ask for fewer days, or use edrlake query, which has no limit of time.',
      })
    : toEdrlakeError(thrown);
  return context.json(errorOf(error), STATUS[error.code] ?? 500);
}

function isTimeout(cause: unknown): boolean {
  return cause instanceof Error && cause.name === 'TimeoutError';
}

function errorOf({ code, message, hint, context: { line, column } = {} }: EdrlakeError) {
  return { error: { code, message, hint, line: line ?? null, column: column ?? null } };
}

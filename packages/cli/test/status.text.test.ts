import type { LakeStatus, RunSummary } from '@edrlake/runner/history';
import { calendarOf } from '@edrlake/runner/history';
import { expect, it } from 'vitest';
import { stalenessOf, statusDocument, statusText } from '../src/render/status-text.ts';
import { displayWidth } from '../src/text/text-width.ts';

const NOW_MS = Date.UTC(2026, 10, 25, 20);
const HOUR_MS = 3_600_000;

const LAST_RUN: RunSummary = {
  runId: '20261125T195951Z-612a6d',
  kind: 'pipeline',
  partOf: null,
  pipeline: 'nightly-of-the-second-subscription',
  state: 'mismatch',
  startedAtMs: NOW_MS - HOUR_MS,
  endedAtMs: NOW_MS - HOUR_MS + 43_900,
  durationMs: 43_900,
  requests: 82,
  rows: 60_000,
  error: null,
  workflow: null,
};

type QuietFinding = NonNullable<LakeStatus['quiet']>['findings'][number];

const DAY = {
  day: '2026-11-24',
  lastDay: '2026-11-24',
  scope: 'all',
  counted: 3,
  inLake: 3,
  rejected: 0,
  undated: 0,
  verdict: 'complete',
  lastVerifiedAtMs: NOW_MS - HOUR_MS,
  lastVerifiedIn: 4,
  oldestProof: { atMs: NOW_MS - HOUR_MS, version: 4 },
} as const;

const STATUS: LakeStatus = {
  directory: '/data/edr',
  version: 4,
  committedAtMs: NOW_MS - HOUR_MS,
  tables: [{ table: 'events', rows: 3, files: 1, bytes: 2_048 }],
  days: [DAY],
  calendar: calendarOf({ lines: [DAY], comparisons: new Map(), lost: new Set(), followed: null, nowMs: NOW_MS }),
  listedTwice: 0,
  lostFiles: [],
  rejects: [],
  newestEventAtMs: Date.UTC(2026, 10, 24, 23, 59, 2),
  watermarkMs: NOW_MS - 26 * HOUR_MS,
  freshUntilMs: NOW_MS - 26 * HOUR_MS,
  lastRun: LAST_RUN,
  horizon: { retentionMs: null, oldestMs: null, lookedAtMs: null },
  publications: [],
  valueIndex: null,
  standingHunts: null,
  quiet: null,
  objectStore: null,
  budget: { requestsLeft: 135, requests: 300, windowSeconds: 3_600 },
  deprecation: null,
};

it('says what is newest, how far the watermark lags, what ran last and how, and what may be requested, in 80 columns', () => {
  const text = statusText(STATUS, { width: 80, colour: false, nowMs: NOW_MS });
  expect(text.split('\n', 9).join('\n')).toBe(`Lake           /data/edr
Version        4, of 2026-11-25T19:00:00Z
Size           2.0 KiB in 1 file
Newest event   2026-11-24T23:59:02Z
Watermark      2026-11-24T18:00:00Z, 1 d 2 h ago
Last run       nightly-of-the-second-subscription mismatch ·
               2026-11-25T19:00:00Z, 43.9 s · 60,000 events new or changed
Requests left  135 of 300 in 1 h
`);
  expect(Math.max(...text.split('\n').map(displayWidth))).toBeLessThanOrEqual(80);
});

it('says how far back the API answers, and until when days that are not proven can be fetched', () => {
  const dayMs = 24 * HOUR_MS;
  const nowMs = Date.UTC(2026, 10, 25);
  const until = (retentionMs: number | null, days: number) => {
    const bad = { ...DAY, verdict: 'partial', day: '2026-09-01', lastDay: '2026-09-02' } as const;
    const calendar = calendarOf({
      lines: [bad, DAY].slice(0, days),
      comparisons: new Map(),
      lost: new Set(),
      followed: null,
      nowMs,
    });
    const text = statusText(
      { ...STATUS, calendar, horizon: { retentionMs, oldestMs: null, lookedAtMs: nowMs } },
      { width: 80, colour: false, nowMs },
    );
    return text.match(/^(?:Retention|Not proven) .*$/gm);
  };
  expect(until(null, 1)).toBeNull();
  expect(until(90 * dayMs, 1)).toEqual([
    'Retention      the API answers for the last 90 d',
    'Not proven     2026-09-01 to 2026-09-02: unrecoverable after 2026-11-30',
  ]);
  expect(until(80 * dayMs, 1)?.at(-1)).toBe('Not proven     2026-09-01 to 2026-09-02: unrecoverable since 2026-11-20');
  // Time enough.
  expect(until(200 * dayMs, 1)).toHaveLength(1);
});

it('says why records are kept as rejects, the three most frequent reasons', () => {
  const lines = (rejects: LakeStatus['rejects']) =>
    statusText({ ...STATUS, rejects }, { width: 80, colour: false, nowMs: NOW_MS }).match(
      /^Rejects .*(?:\n {15}.*)*$/gm,
    );
  const rejects = ['not UTF-8', 'no id', 'not JSON', 'too large'].map((reason, position) => {
    return { reason, records: 1_200 - position };
  });
  expect(lines([])).toBeNull();
  expect(lines(rejects.slice(0, 1))).toEqual(['Rejects        1,200 records: 1,200 not UTF-8']);
  expect(lines(rejects)).toEqual([
    `Rejects        4,794 records: 1,200 not UTF-8, 1,199 no id, 1,198 not JSON,
               1,197 for other reasons`,
  ]);
  expect(statusDocument({ ...STATUS, rejects }, NOW_MS)).toMatchObject({ rejects });
});

it('says how far published tables are behind, and what to run', () => {
  const publications = [
    { format: 'delta', version: 4, isOfLostHistory: false },
    { format: 'iceberg', version: 1, isOfLostHistory: false },
    { format: 'ducklake', version: 9, isOfLostHistory: true },
  ] as const;
  const style = { width: 120, colour: false, nowMs: NOW_MS };
  const lines = (status: LakeStatus) => statusText(status, style).match(/^Published .*$/gm);
  expect(lines({ ...STATUS, publications })).toEqual([
    'Published      Delta Lake tables, up to date',
    'Published      Iceberg tables, 3 versions behind; run: edrlake publish iceberg',
    'Published      DuckLake tables of lost version 9; remove _tables, then run: edrlake publish ducklake',
  ]);
  expect(lines({ ...STATUS, publications: [{ format: 'delta', version: null, isOfLostHistory: false }] })).toEqual([
    'Published      Delta Lake tables, not finished; run: edrlake publish delta',
  ]);
  expect(statusDocument({ ...STATUS, publications }, NOW_MS)).toMatchObject({ publications });
});

it('names what is quiet, the first five', () => {
  const silent: QuietFinding = {
    ...{ kind: 'silent', source: { type: 'NETWORK', platform: 'LINUX' } },
    ...{ sinceMs: Date.UTC(2026, 10, 24, 14), expected: 1_240 },
  };
  const low: QuietFinding = {
    ...{ kind: 'low', source: { type: null, platform: null } },
    ...{ day: '2026-11-23', events: 12, expected: 9_800 },
  };
  const quiet = { learnedDays: 63, findings: [silent, ...Array.from({ length: 6 }, () => low)] };
  const text = statusText({ ...STATUS, quiet }, { width: 80, colour: false, nowMs: NOW_MS });
  expect(text.match(/^Quiet .*$/gm)).toEqual([
    'Quiet          NETWORK on LINUX: none since 2026-11-24T14:00Z, 1,240 expected',
    ...Array.from({ length: 4 }, () => 'Quiet          all events: 12 on 2026-11-23, 9,800 expected'),
    'Quiet          … and 2 more, --json lists all',
  ]);
  expect(statusDocument({ ...STATUS, quiet }, NOW_MS).quiet).toMatchObject({
    learnedDays: 63,
    findings: { 0: { kind: 'silent', type: 'NETWORK', since: '2026-11-24T14:00:00.000Z' }, length: 7 },
  });
});

it('leaves out what is unknown', () => {
  const unknown = { newestEventAtMs: null, watermarkMs: null, freshUntilMs: null, lastRun: null, budget: null };
  const text = statusText({ ...STATUS, ...unknown }, { width: 80, colour: false, nowMs: NOW_MS });
  expect(text).not.toMatch(/Newest|Watermark|Last run|Requests left|null/);
  expect(statusDocument({ ...STATUS, ...unknown }, NOW_MS)).toMatchObject({
    newestEventAt: null,
    watermark: null,
    watermarkLagSeconds: null,
    ageSeconds: null,
    lastRun: null,
    budget: null,
  });
});

it('says the same to programs', () => {
  expect(statusDocument(STATUS, NOW_MS)).toMatchObject({
    newestEventAt: '2026-11-24T23:59:02.000Z',
    watermark: '2026-11-24T18:00:00.000Z',
    watermarkLagSeconds: 26 * 3_600,
    ageSeconds: 26 * 3_600,
    lastRun: { pipeline: LAST_RUN.pipeline, state: 'mismatch', rows: 60_000, startedAt: '2026-11-25T19:00:00.000Z' },
    budget: { requestsLeft: 135, requests: 300, windowSeconds: 3_600 },
    days: { scope: 'all', complete: 1 },
    coverage: [{ day: '2026-11-24', state: 'complete' }],
  });
});

it('is stale where it seems to be complete up to a time that has not come yet', () => {
  expect(stalenessOf({ ...STATUS, freshUntilMs: NOW_MS + 60_000 }, HOUR_MS, NOW_MS)).toBeNull();
  expect(stalenessOf({ ...STATUS, freshUntilMs: NOW_MS + HOUR_MS }, HOUR_MS, NOW_MS)).toContain('has not come yet');
  expect(stalenessOf({ ...STATUS, freshUntilMs: NOW_MS - 2 * HOUR_MS }, HOUR_MS, NOW_MS)).toContain('2 h ago');
});

it('says how large the index of values is, and what it does not know', () => {
  const text = statusText(
    { ...STATUS, valueIndex: { known: 3, files: 4, bytes: 1024 } },
    { width: 80, colour: false, nowMs: NOW_MS },
  );
  expect(text).toMatch(/^Value index +1\.0 KiB, \S+ % of the data; 1 file not in it; run: edrlake index$/m);
});

it('keeps both ends of a range of days on 80 columns', () => {
  const empty = { ...DAY, day: '2026-11-20', lastDay: '2026-11-22', counted: 0, inLake: 0 };
  const text = statusText({ ...STATUS, days: [empty, DAY] }, { width: 80, colour: false, nowMs: NOW_MS });
  expect(text).toMatch(/^2026-11-20 to 2026-11-22 +0 +0 +complete +2026-\d\d-\d\dT[\d:]+Z$/m);
});

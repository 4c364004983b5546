import { isoInstant, parseRange, type TimeRange } from '@edrlake/core';
import type { ExportPlan, ExportReport } from '@edrlake/runner';
import { describe, expect, it } from 'vitest';
import { findingsText } from '../src/commands/doctor.ts';
import { verifyText } from '../src/commands/verify.ts';
import { planText } from '../src/render/plan-text.ts';
import { reportDocument, reportText } from '../src/render/report-text.ts';
import { displayWidth } from '../src/text/text-width.ts';

const RANGE = parseRange('2020-08-17', '2020-08-18');
const REQUEST = { axis: 'event', ranges: [RANGE], scope: { filter: null, state: null } } as const;
const REQUESTS = { planning: 3, pages: 14, logins: 1, planned: 18, lowerBound: 13, ratio: 18 / 13 };

const DONE: ExportReport = {
  runId: '20261122T003012Z-1f9a2c',
  resumed: false,
  frozenAtMs: null,
  request: REQUEST,
  outcome: 'done',
  windows: { planned: 2, skipped: 0, committed: 2, failed: [], mismatched: [], rejected: [] },
  events: { counted: 12_345, fetched: 12_345, new: 12_000, changed: 45, unchanged: 300, rejected: 0 },
  requests: REQUESTS,
  requestsMade: 18,
  filesAdded: 10,
  rejects: [],
  maxRejectShare: 0.01,
  unknownFields: [],
  version: 3,
  startedAtMs: 0,
  durationMs: 12_345,
};

const FAILED_WINDOW = { windowId: 'w', range: RANGE, code: 'TIMEOUT', message: 'no answer' };
const MISMATCHED_WINDOW = { windowId: 'w', range: RANGE, counted: 10, fetched: 9, distinct: 9 };

describe('the report of an export', () => {
  it('says what is new and what it took', () => {
    const text = reportText(DONE, 80);
    expect(text).toContain('Complete: 2020-08-17T00:00:00Z to 2020-08-19T00:00:00Z.');
    expect(text).toContain('12,345 counted · 12,000 new · 45 changed · 300 unchanged');
    expect(text).toContain('18 made · 18 planned · 13 at least');
    expect(text).toMatch(/Next: edrlake status\n$/);
  });

  it('shows what was counted when it was fetched where the plan had another number', () => {
    const text = reportText({ ...DONE, events: { ...DONE.events, recounted: 12_350 } }, 80);
    expect(text).toContain('12,345 counted, 12,350 when fetched · 12,000 new');
  });

  it('names what was counted as empty and is not confirmed', () => {
    const windows = { ...DONE.windows, committed: 1, unverified: [FAILED_WINDOW] };
    const report: ExportReport = { ...DONE, outcome: 'partly', windows };
    const text = reportText(report, 80);
    expect(text).toContain('2 planned · 1 committed · 1 unverified');
    expect(text).toContain('Counted as empty, and not confirmed by an empty page:');
    expect(text).toContain('no answer [TIMEOUT]');
    expect(text).toContain('Next: edrlake backfill');
    expect(reportDocument(report).windows.unverified).toEqual([
      {
        windowId: 'w',
        code: 'TIMEOUT',
        message: 'no answer',
        from: isoInstant(RANGE.startMs),
        to: isoInstant(RANGE.endMs),
      },
    ]);
  });

  it('says where an end was frozen that goes beyond now', () => {
    const frozenAtMs = RANGE.endMs - 1_500;
    const text = reportText({ ...DONE, frozenAtMs }, 80);
    expect(text.replaceAll('\n', ' ')).toContain('it ends at 2020-08-18T23:59:58.500Z.');
    expect(reportText(DONE, 80)).not.toContain('beyond now');
    expect(reportDocument({ ...DONE, frozenAtMs })).toMatchObject({ frozenAt: '2020-08-18T23:59:58.500Z' });
  });

  it('says what to type when windows failed', () => {
    const windows = { ...DONE.windows, failed: [FAILED_WINDOW] };
    const text = reportText({ ...DONE, outcome: 'partly', windows }, 80);
    expect(text).toContain('no answer [TIMEOUT]');
    expect(text).toContain('Next: edrlake backfill --from 2020-08-17 --to 2020-08-18');
  });

  it('says what to type when numbers do not add up', () => {
    const windows = { ...DONE.windows, mismatched: [MISMATCHED_WINDOW] };
    const text = reportText({ ...DONE, outcome: 'mismatch', windows }, 80);
    expect(text).toContain('The lake and the API disagree');
    expect(text).toContain('Next: edrlake backfill --from 2020-08-17 --to 2020-08-18 --force');
  });

  it('does not blame late events for a mismatch in a time long past', () => {
    const windows = { ...DONE.windows, mismatched: [MISMATCHED_WINDOW] };
    const endedAt = (startedAtMs: number) => reportText({ ...DONE, outcome: 'mismatch', windows, startedAtMs }, 80);
    expect(endedAt(RANGE.endMs + 3_600_000)).toContain('may still be arriving');
    const old = endedAt(RANGE.endMs + 30 * 86_400_000);
    expect(old).not.toContain('may still be arriving');
    expect(old).toContain('long past');
    expect(old).toContain('Next: edrlake backfill --from 2020-08-17 --to 2020-08-18 --force');
    const advice = old.slice(old.indexOf('That time'));
    for (const line of advice.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(80);
  });

  it('stays readable with many windows, and fits', () => {
    const failed = Array.from({ length: 500 }, () => ({ ...FAILED_WINDOW, message: 'x'.repeat(200) }));
    const text = reportText({ ...DONE, outcome: 'partly', windows: { ...DONE.windows, failed } }, 80);
    expect(text.split('\n').length).toBeLessThan(30);
    expect(text).toContain('… 490 more, --json lists all');
    for (const line of text.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(80);
  });

  it('as a document has instants as text', () => {
    expect(reportDocument(DONE)).toMatchObject({
      range: { from: '2020-08-17T00:00:00.000Z', to: '2020-08-19T00:00:00.000Z' },
      startedAt: '1970-01-01T00:00:00.000Z',
      outcome: 'done',
    });
  });
});

describe('a plan in words', () => {
  const windows = Array.from({ length: 30 }, (_, n) => {
    const range = { startMs: RANGE.startMs + n * 1_000, endMs: RANGE.startMs + (n + 1) * 1_000 };
    return { window: { ...REQUEST, range, cuts: [], id: `w${n}` }, count: 9_000 + n };
  });
  const windowPlan = {
    windows,
    emptyWindows: [],
    uncounted: [],
    events: 12_345,
    pages: 14,
    planRequests: 3,
    lowerBound: 13,
  };
  const view = {
    plan: {
      request: REQUEST,
      asOfMs: RANGE.endMs,
      frozenAtMs: null,
      windowPlan,
      uncounted: [],
      requests: REQUESTS,
    } satisfies ExportPlan,
    pageSize: 1_000,
    requestsMade: 4,
    proven: { windows: 2, events: 18_001 },
    standardMs: 216_000,
    advertised: { requests: 600, windowSeconds: 3_600 },
    advertisedMs: 108_000,
  };

  it('names requests, the bound, the ratio and the duration', () => {
    const text = planText(view, false, 80);
    expect(text).toContain('18 planned: 3 to plan, 14 pages, 1 login');
    expect(text).toContain('13 requests of 1,000 events, ratio 1.38');
    expect(text).toContain('2 windows with 18,001 events, which a backfill would not fetch');
    expect(planText({ ...view, proven: null }, false, 80)).not.toContain('In the lake');
    const partly = planText({ ...view, plan: { ...view.plan, uncounted: [FAILED_WINDOW] } }, false, 80);
    expect(partly).toContain('1 range, which a backfill would count again');
    expect(text).toContain('about 3 min 36 s at 300 requests an hour');
    expect(text).toContain("about 1 min 48 s at the gateway's 600 in 1 h");
    expect(text).toContain('… 20 more, --all lists them');
    for (const line of text.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(80);
  });

  it('says what it takes to confirm that nothing is there', () => {
    const [first] = windows;
    const emptyWindows = first === undefined ? [] : [first.window];
    const nothing = { ...windowPlan, windows: [], emptyWindows, events: 0, pages: 1 };
    const text = planText({ ...view, plan: { ...view.plan, windowPlan: nothing } }, false, 80);
    expect(text).toContain('1 range by the counts, each takes a page to confirm');
    expect(text).toContain('Nothing to fetch. A backfill confirms that.\nNext: edrlake backfill');
  });

  it('lists all windows when asked', () => {
    expect(planText(view, true, 80).split('\n').length).toBeGreaterThan(40);
  });
});

describe('findings', () => {
  it('are marked, with advice below', () => {
    const text = findingsText(
      [
        { name: 'login', status: 'ok', found: 'demo', advice: null },
        { name: 'clock', status: 'fail', found: '5 min ahead', advice: 'Synchronise it.' },
      ],
      80,
    );
    expect(text).toBe('✔ login  demo\n✘ clock  5 min ahead\n         → Synchronise it.\n\n1 of 2 checks failed.\n');
  });

  it('name commands as they can be pasted, within the width', () => {
    const found = 'DuckDB on lake.duckdb does not show what the lake holds; edrlake query does not use the file.';
    const advice = 'edrlake vacuum';
    const pasting = { program: 'npx edrlake', lakeFlags: ' --lake /data/edr' } as const;
    const text = findingsText([{ name: 'views', status: 'fail', found, advice }], 80, pasting);
    expect(Math.max(...text.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
    const words = text.replaceAll(/\s+/g, ' ');
    expect(words).toContain('npx edrlake query --lake /data/edr does not use the file. → npx edrlake vacuum --lake');
  });
});

it('a verification without files says whether the lake or only these days have none', () => {
  const nothing = { version: 1, proofVersion: 1, files: 0, rows: 0, bytes: 0, findings: [], withoutDigest: 0 };
  const text = (range: TimeRange | null) => verifyText({ ...nothing, days: [] }, 80, range);
  expect(text(null)).toBe('There is no file to read.\n');
  expect(text(parseRange('2020-08-17', '2020-08-17'))).toBe(
    'The lake has no file of these days: nothing was read. Its days: edrlake status\n',
  );
});

it('a verification says of proof documents no more than that none of this commit are there', () => {
  const report = { version: 1, files: 1, rows: 1, bytes: 1, findings: [], withoutDigest: 0, days: [] };
  const text = (proofVersion: number | null) => verifyText({ ...report, proofVersion }, 100, null).split('\n')[1];
  expect(text(null)).toBe(
    'There are no proof documents of this commit: the next command that writes brings them up to date.',
  );
  expect(text(0)).toBe('The proof documents show version 0: the next command that writes brings them up to date.');
});

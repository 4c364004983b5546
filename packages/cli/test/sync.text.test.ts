import { bothClocks, parseRange } from '@edrlake/core';
import type { ExportReport, SyncReport } from '@edrlake/runner';
import { describe, expect, it } from 'vitest';
import { changedDays, type SyncView, syncDocument, syncText } from '../src/render/sync-text.ts';
import { displayWidth } from '../src/text/text-width.ts';

const RANGE = parseRange('2026-11-20', '2026-11-20');

const EXPORTED: ExportReport = {
  runId: '20261121T003012Z-1f9a2c',
  resumed: false,
  frozenAtMs: null,
  request: { axis: 'processed', ranges: [RANGE], scope: { filter: null, state: null } },
  outcome: 'done',
  windows: { planned: 1, skipped: 0, committed: 1, failed: [], mismatched: [], rejected: [] },
  events: { counted: 1_500, fetched: 1_500, new: 1_200, changed: 100, unchanged: 200, rejected: 0 },
  requests: { planning: 1, pages: 2, logins: 1, planned: 4, lowerBound: 2, ratio: 2 },
  requestsMade: 4,
  filesAdded: 5,
  rejects: [],
  maxRejectShare: 0.01,
  unknownFields: [],
  version: 3,
  startedAtMs: 0,
  durationMs: 2_000,
};

const REPORT: SyncReport = {
  watermarkBeforeMs: RANGE.startMs,
  watermarkAfterMs: RANGE.endMs,
  range: RANGE,
  held: 0,
  reopened: [],
  rejected: [],
  lostFiles: [],
  resumed: null,
  again: null,
  clocks: bothClocks(RANGE.endMs + 900_000, RANGE.endMs + 900_000),
  exported: EXPORTED,
};

const VIEW: SyncView = {
  report: REPORT,
  axis: 'processed',
  requests: 4,
  days: { reopened: ['2026-11-15'], new: ['2026-11-20'] },
};

describe('a sync in words', () => {
  it('says what is new, which days were re-opened and where the watermark went', () => {
    const text = syncText(VIEW, 80);
    expect(text).toContain('Synced: complete up to 2026-11-21T00:00:00Z of processing time.');
    expect(text).toContain('1,200 new · 100 changed · 200 unchanged');
    expect(text).toContain('2026-11-20T00:00:00Z → 2026-11-21T00:00:00Z');
    expect(text).toContain('Re-opened  1 day: 2026-11-15');
    for (const line of text.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(80);
  });

  it('says each time which rejects hold the watermark back, and when they are fetched again', () => {
    const rejected = [{ range: RANGE, retryAtMs: RANGE.endMs + 86_400_000 }];
    const report = { ...REPORT, watermarkAfterMs: RANGE.startMs, rejected, exported: null };
    const text = syncText({ ...VIEW, report }, 80);
    expect(text).toContain('Too many records were rejected after 2026-11-20T00:00:00Z');
    expect(text).toContain('  2026-11-20T00:00:00Z to 2026-11-21T00:00:00Z, fetched again from 2026-11-22T00:00:00Z');
    expect(text).toContain('Next: edrlake sync --max-reject-share 100%');
    expect(syncDocument({ ...VIEW, report })).toMatchObject({
      outcome: 'rejected',
      rejected: [{ from: '2026-11-20T00:00:00.000Z', retryAt: '2026-11-22T00:00:00.000Z' }],
    });
  });

  it('says so where the clocks are apart', () => {
    const clocks = bothClocks(RANGE.endMs + 9 * 3_600_000, RANGE.endMs);
    for (const exported of [EXPORTED, null]) {
      const text = syncText({ ...VIEW, report: { ...REPORT, clocks, exported } }, 80);
      expect(text.replaceAll('\n', ' ')).toContain(
        'this machine says 2026-11-21T09:00:00.000Z, that of the gateway 2026-11-21T00:00:00.000Z.',
      );
      for (const line of text.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(80);
    }
  });

  it('is one line when nothing is new', () => {
    const nothing = { ...EXPORTED, events: { ...EXPORTED.events, new: 0, changed: 0 } };
    for (const exported of [null, nothing]) {
      expect(syncText({ ...VIEW, report: { ...REPORT, exported } }, 80)).toBe(
        'Nothing new: complete up to 2026-11-21T00:00:00Z, 4 requests.\n',
      );
    }
  });

  it('says how to go on when something failed or does not add up', () => {
    const failed = [{ windowId: 'w', range: RANGE, code: 'TIMEOUT', message: 'no answer' }];
    const partly = { ...EXPORTED, outcome: 'partly', windows: { ...EXPORTED.windows, failed } } as const;
    const text = syncText({ ...VIEW, report: { ...REPORT, exported: partly } }, 80);
    expect(text).toContain('Partly synced');
    expect(text).toContain('no answer [TIMEOUT]');
    expect(text).toContain('Next: edrlake sync');
    const mismatch = { ...EXPORTED, outcome: 'mismatch' } as const;
    expect(syncText({ ...VIEW, report: { ...REPORT, exported: mismatch } }, 80)).toContain('disagree');
  });

  it('as a document has instants as text and the worst outcome of what it did', () => {
    const mismatch = { ...EXPORTED, outcome: 'mismatch' } as const;
    expect(syncDocument({ ...VIEW, report: { ...REPORT, resumed: mismatch } })).toMatchObject({
      outcome: 'mismatch',
      watermarkBefore: '2026-11-20T00:00:00.000Z',
      watermarkAfter: '2026-11-21T00:00:00.000Z',
      events: { new: 2_400 },
      requestsMade: 4,
    });
  });
});

describe('the days a sync has changed', () => {
  it('are those with new files, apart by whether they had files before', () => {
    const file = (day: string, n: number) => ({ partition: `event_date=${day}`, path: `events/${day}/${n}` });
    const before = [file('2026-11-14', 1), file('2026-11-15', 1)];
    const after = [...before, file('2026-11-20', 2), file('2026-11-15', 2)];
    expect(changedDays(before, after)).toEqual({ reopened: ['2026-11-15'], new: ['2026-11-20'] });
    expect(changedDays(before, before)).toEqual({ reopened: [], new: [] });
  });
});

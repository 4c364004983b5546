import type { ReconciledDay } from '@edrlake/runner';
import { describe, expect, it } from 'vitest';
import { type ReconcileView, reconcileDocument, reconcileText, verdictText } from '../src/render/reconcile-text.ts';
import { displayWidth } from '../src/text/text-width.ts';

const MATCH: ReconciledDay = {
  day: '2026-11-20',
  eventType: null,
  inApi: 1_000,
  whenFetched: 1_000,
  inLake: 1_000,
  countedTwice: 0,
  distinctIds: 1_000,
  lostFiles: [],
  verdict: 'match',
  difference: 0,
};
const LATE: ReconciledDay = { ...MATCH, day: '2026-11-21', inApi: 1_500, verdict: 'late', difference: -500 };

function view(days: readonly ReconciledDay[], more: Partial<ReconcileView> = {}): ReconcileView {
  return { days, by: 'day', repair: null, requests: 2, ...more };
}

describe('a comparison in words', () => {
  it('is a line a day, the sum and the command that repairs', () => {
    const text = reconcileText(view([MATCH, LATE]), 80);
    expect(text).toMatch(/2026-11-21 +1,500 +1,000 +1,000 +1,000 +late \+500/);
    expect(text).toContain('1 of 2 days match: 1 late. 2 requests.');
    expect(text).toContain('Next: edrlake reconcile --from 2026-11-21 --to 2026-11-21 --repair');
    for (const line of text.split('\n')) expect(displayWidth(line)).toBeLessThanOrEqual(80);
  });

  it('says so when all match, and lists only what differs when there are many days', () => {
    expect(reconcileText(view([MATCH]), 80)).toContain('It matches.');
    const many = Array.from({ length: 500 }, () => MATCH);
    expect(reconcileText(view(many), 80)).toBe('All 500 days match. 2 requests.\n');
    const text = reconcileText(view([...many, LATE]), 80);
    expect(text.split('\n').filter((line) => line.startsWith('2026-'))).toHaveLength(1);
    expect(reconcileText(view([]), 80)).toBe('There is no day to compare.\n');
  });

  it('names lost files and reports what a repair did', () => {
    const missing: ReconciledDay = {
      ...LATE,
      verdict: 'missing',
      lostFiles: ['events/event_date=2026-11-21/a.parquet'],
    };
    expect(reconcileText(view([missing]), 80)).toContain('1 data file gone or broken, such as events/');
    const repair = { ranges: [], forgottenFiles: ['events/a.parquet'], removedRows: 0, exported: null };
    expect(reconcileText(view([MATCH], { repair }), 80)).toContain('1 lost file forgotten.');
    const nothing = { ranges: [], forgottenFiles: [], removedRows: 0, exported: null };
    expect(reconcileText(view([MATCH], { repair: nothing }), 80)).toContain('There was nothing to repair.');
    expect(reconcileText(view([LATE], { repair: nothing }), 80)).toContain('Next: edrlake backfill');
  });

  it('names days that have lost events beside a table of types', () => {
    const ofType = { ...MATCH, eventType: 'FILE', whenFetched: null, verdict: 'unverified', lossOfDay: true } as const;
    const text = reconcileText(view([ofType, { ...ofType, eventType: 'MUTEX' }], { by: 'type' }), 80);
    expect(text).toContain('Lost events of types that are not known: 2026-11-20. No type of such a day matches.');
    expect(text).toContain('0 of 2 lines match: 2 unverified. 2 requests.');
    const two = view([ofType, { ...ofType, day: '2026-11-21' }], { by: 'type' });
    expect(reconcileText(two, 80)).toContain('2026-11-20 and 1 more day. No');
  });

  it('has one word for each verdict', () => {
    expect(verdictText(MATCH)).toBe('match');
    expect(verdictText({ ...MATCH, difference: 7 })).toBe('match, 7 kept');
    expect(verdictText({ ...MATCH, countedTwice: 2 })).toBe('match, 2 listed twice');
    expect(verdictText(LATE)).toBe('late +500');
    expect(verdictText({ ...LATE, verdict: 'missing' })).toBe('missing -500');
    expect(verdictText({ ...MATCH, verdict: 'missing' })).toBe('missing');
    expect(verdictText({ ...LATE, verdict: 'unverified' })).toBe('unverified');
  });

  it('as a document says whether all match', () => {
    expect(reconcileDocument(view([MATCH]))).toMatchObject({ outcome: 'match', requestsMade: 2, repair: null });
    expect(reconcileDocument(view([MATCH, LATE]))).toMatchObject({
      outcome: 'mismatch',
      days: [{}, { verdict: 'late' }],
    });
  });
});

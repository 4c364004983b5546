import { type Day, dayOf, MS_PER_DAY, MS_PER_HOUR, SETTLE_LAG_MS, startOfDayMs } from '@edrlake/core';
import type { DayCoverage } from '@edrlake/lake';
import {
  type GateQuestion,
  type GateResult,
  type KnownDays,
  type RefusedDays,
  refusedDays,
} from '@edrlake/runner/history';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gateDocument, gateExitCode, gateText } from '../src/render/gate-text.ts';

const FIRST = startOfDayMs('2026-11-01');
const NOW_MS = startOfDayMs('2026-11-21') + 10 * MS_PER_HOUR;
const days = (from: number, to: number) => ({ startMs: FIRST + from * MS_PER_DAY, endMs: FIRST + to * MS_PER_DAY });
const QUESTION: GateQuestion = {
  range: days(0, 19),
  scope: { filter: null, state: null },
  require: 'proven',
  maxAgeMs: null,
  nowMs: NOW_MS,
};

function line(from: number, to: number, verdict: DayCoverage['verdict'], lastVerifiedAtMs: number | null = 5_000) {
  const [day, lastDay] = [dayOf(FIRST + from * MS_PER_DAY), dayOf(FIRST + (to - 1) * MS_PER_DAY)];
  const proof = lastVerifiedAtMs === null ? null : { atMs: lastVerifiedAtMs, version: 2 };
  const verified = { lastVerifiedAtMs, lastVerifiedIn: proof?.version ?? null, oldestProof: proof };
  return { day, lastDay, scope: 'all', counted: 1, inLake: 1, rejected: 0, undated: 0, verdict, ...verified };
}

const NOTHING: KnownDays = { proven: [], lines: [], comparisons: new Map(), lost: new Set(), nowMs: NOW_MS };
const resultOf = (refused: readonly RefusedDays[], more: Partial<GateResult> = {}): GateResult => ({
  ...{ question: QUESTION, version: 3, days: 19, refused, followedFromMs: null, freshUntilMs: null, isStale: false },
  ...more,
});
const refusal = (state: RefusedDays['state'], sinceMs: number | null = null): RefusedDays => ({
  ...days(3, 4),
  state,
  filesGone: false,
  sinceMs,
});

describe('a gate', () => {
  it('passes exactly the proven days without a newer difference', () => {
    const verdicts = ['complete', 'open', 'partial', 'unverified', 'rejected', 'mismatched'] as const;
    const day = fc.record({
      verdict: fc.constantFrom(null, ...verdicts),
      isProven: fc.boolean(),
      compared: fc.constantFrom(null, 'match', 'late', 'missing', 'duplicate', 'unverified'),
      isLost: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(day, { minLength: 1, maxLength: 25 }), (given) => {
        const named = given.map((about, n) => ({ ...about, n, day: dayOf(FIRST + n * MS_PER_DAY) }));
        // Only the gate's callers know which days are proven: it must not pass another one, or refuse one of them.
        const proven = named.filter(({ isProven }) => isProven).map(({ n }) => days(n, n + 1));
        const lines = named.flatMap(({ n, verdict }) => (verdict === null ? [] : [line(n, n + 1, verdict)]));
        const comparisons = new Map(
          named.flatMap(({ day: on, compared }) =>
            compared === null
              ? []
              : [[on, { verdict: compared as 'late', atMs: 6_000, version: 2, inApi: 2 }] as const],
          ),
        );
        const lost = new Set(named.filter(({ isLost }) => isLost).map(({ day: on }) => on));
        const asked = days(0, given.length);
        const spans = refusedDays(asked, { proven, lines, comparisons, lost, nowMs: NOW_MS });
        const refused = new Map<Day, RefusedDays>();
        for (const span of spans) {
          for (let ms = span.startMs; ms < span.endMs; ms += MS_PER_DAY) refused.set(dayOf(ms), span);
        }
        for (const { n, day: on, isProven, compared, verdict, isLost } of named) {
          const isDifferent = compared === 'late' || compared === 'missing' || compared === 'duplicate';
          expect(refused.has(on)).toBe(!isProven || isDifferent);
          const found = refused.get(on);
          if (found === undefined || isProven) continue;
          expect(found.filesGone).toBe(isLost);
          const isOver = FIRST + (n + 1) * MS_PER_DAY + SETTLE_LAG_MS <= NOW_MS;
          if (isLost || verdict === 'mismatched') expect(found.state).toBe('mismatched');
          else if (verdict === 'rejected') expect(found.state).toBe('rejected');
          else if (!isOver) expect(found.state).toBe('open');
          else
            expect(found.state).toBe(verdict === null ? 'unplanned' : verdict === 'unverified' ? verdict : 'partial');
        }
        for (const [position, span] of spans.entries()) {
          expect(span.startMs).toBeGreaterThanOrEqual(spans[position - 1]?.endMs ?? asked.startMs);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('takes years that were never fetched as one, and believes a newer proof more than an older comparison', () => {
    expect(refusedDays(days(-4000, 3), NOTHING)).toEqual([
      { ...days(-4000, 3), state: 'unplanned', filesGone: false, sinceMs: null },
    ]);
    const refusedBy = (version: number | null, atMs: number) => {
      const comparisons = new Map([['2026-11-01', { verdict: 'late' as const, atMs, version, inApi: 2 }]]);
      const known = { ...NOTHING, proven: [days(0, 1)], lines: [line(0, 1, 'complete')], comparisons };
      return refusedDays(days(0, 1), known).length;
    };
    expect([refusedBy(1, 4_999), refusedBy(null, 4_999)]).toEqual([0, 0]);
    // The clock was behind the proof that was compared; or the proof was made before the comparison ended.
    expect([refusedBy(2, 4_999), refusedBy(1, 5_000), refusedBy(null, 5_000)]).toEqual([1, 1, 1]);
    expect(refusedBy(1, NOW_MS + MS_PER_DAY)).toBe(0);
  });

  it('ends with the exit code of the worst day', () => {
    expect(gateExitCode(resultOf([]))).toBe(0);
    for (const state of ['open', 'unplanned', 'partial', 'unverified'] as const) {
      expect(gateExitCode(resultOf([refusal(state)]))).toBe(3);
    }
    expect(gateExitCode(resultOf([refusal('partial'), refusal('rejected')]))).toBe(6);
    for (const state of ['mismatched', 'missing', 'late'] as const) {
      expect(gateExitCode(resultOf([refusal('rejected'), refusal(state), refusal('open')]))).toBe(4);
    }
    expect(gateExitCode(resultOf([], { isStale: true }))).toBe(4);
  });

  it('says the state, since when, and the command to run', () => {
    const at = Date.parse('2026-11-05T02:15:09.120Z');
    const shown = (span: RefusedDays, more: Partial<GateResult> = {}, lakeFlags = '') =>
      gateText(resultOf([span], more), lakeFlags, null).split('\n')[0];
    const range = '--from 2026-11-04 --to 2026-11-04';
    expect(shown(refusal('partial', at))).toBe(
      `2026-11-04  partial  since 2026-11-05T02:15:09Z  edrlake backfill ${range}`,
    );
    expect(shown(refusal('open'))).toBe(`2026-11-04  open  until 2026-11-05T00:15:00Z  edrlake backfill ${range}`);
    expect(shown({ ...refusal('mismatched'), filesGone: true })).toBe(
      `2026-11-04  files gone  edrlake reconcile --repair ${range}`,
    );
    expect(shown(refusal('rejected', at))).toContain(`edrlake backfill --only rejected ${range}`);
    expect(shown(refusal('partial'), { followedFromMs: FIRST })).toBe('2026-11-04  partial  edrlake sync');
    expect(shown(refusal('partial'), { followedFromMs: NOW_MS })).toContain('edrlake backfill');
    const scope = { filter: "name:'a b'", state: true };
    expect(shown(refusal('mismatched'), { question: { ...QUESTION, scope } }, ' --lake /d')).toBe(
      `2026-11-04  mismatched  edrlake backfill --force ${range} --filter 'name:'\\''a b'\\''' --state true --lake /d`,
    );
  });

  it('prints one line a day, fits a narrow terminal, and never more than some hundred days', () => {
    const text = gateText(resultOf([{ ...refusal('unplanned'), ...days(0, 3) }]), '', null);
    expect(text.split('\n')).toHaveLength(5);
    expect(text).toContain('3 days of 19 not proven.');
    const narrow = gateText(resultOf([refusal('mismatched', 1_000)]), '', 60);
    expect(narrow.split('\n').every(({ length }) => length <= 68)).toBe(true);
    const long = gateText(resultOf([{ ...refusal('unplanned'), ...days(-4000, 3) }], { days: 4003 }), '', null);
    expect(long.split('\n')).toHaveLength(403);
    expect(long).toContain('… and 3,603 more days; --json lists all of them');
    expect(long).toContain('4,003 days of 4,003 not proven.');
    expect(gateText(resultOf([]), '', null)).toBe('19 days, all proven.\n');
  });

  it('has a document with one entry for neighbouring days of one cause', () => {
    expect(gateDocument(resultOf([{ ...refusal('late', NOW_MS), ...days(0, 3) }]), '')).toEqual({
      ...{ passes: false, require: 'proven', from: '2026-11-01', to: '2026-11-19', days: 19, version: 3, stale: null },
      notProven: [
        {
          ...{ from: '2026-11-01', to: '2026-11-03', days: 3, state: 'late', filesGone: false },
          since: '2026-11-21T10:00:00.000Z',
          command: 'edrlake reconcile --repair --from 2026-11-01 --to 2026-11-03',
        },
      ],
    });
  });
});

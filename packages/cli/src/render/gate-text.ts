import {
  countText,
  type Day,
  dayOf,
  instantText,
  isoInstant,
  MS_PER_DAY,
  nounText,
  SETTLE_LAG_MS,
  type TimeRange,
  wholeDaysOf,
} from '@edrlake/core';
import { DIFFERENT_STATES, dayCommand, type GateResult, type RefusedDays } from '@edrlake/runner/history';
import { stalenessOf } from './status-text.ts';

/** As for the commands that fetch: what is not there yet, what disagrees, what was rejected. */
const EXIT_CODES = { passes: 0, unfinished: 3, disagrees: 4, rejected: 6 } as const;

/** The worst of all causes: 0 exactly where every day passes. */
export function gateExitCode({ refused, isStale }: GateResult): number {
  if (isStale || refused.some(({ state }) => DIFFERENT_STATES.has(state))) return EXIT_CODES.disagrees;
  if (refused.some(({ state }) => state === 'rejected')) return EXIT_CODES.rejected;
  return refused.length > 0 ? EXIT_CODES.unfinished : EXIT_CODES.passes;
}

/** Days shown one by one; `--json` has all of them. */
const SHOWN_DAYS = 400;

/**
 * One line for each day that does not pass, and a sentence.
 * @param lakeFlags ` --lake DIR --dataset NAME` as far as typed, for commands to paste
 * @param width null: lines may have any length
 */
export function gateText(result: GateResult, lakeFlags: string, width: number | null): string {
  const { refused, days, question } = result;
  const lines: string[] = [];
  let count = 0;
  for (const span of refused) {
    for (let startMs = span.startMs; startMs < span.endMs; startMs += MS_PER_DAY) {
      count += 1;
      if (count > SHOWN_DAYS) {
        count += (span.endMs - startMs) / MS_PER_DAY - 1;
        break;
      }
      lines.push(...dayLines({ ...span, startMs, endMs: startMs + MS_PER_DAY }, result, { lakeFlags, width }));
    }
  }
  if (count > SHOWN_DAYS) lines.push(`… and ${nounText(count - SHOWN_DAYS, 'more day')}; --json lists all of them`);
  const word = question.require;
  lines.push(
    count === 0
      ? `${nounText(days, 'day')}, all ${word}.`
      : `${nounText(count, 'day')} of ${countText(days)} not ${word}.`,
  );
  const stale = staleText(result);
  if (stale !== null) lines.push(stale);
  return `${lines.join('\n')}\n`;
}

/** What is wrong with the age of the lake; null where nothing is. */
function staleText({ question: { maxAgeMs, nowMs }, freshUntilMs }: GateResult): string | null {
  return maxAgeMs === null ? null : stalenessOf({ freshUntilMs }, maxAgeMs, nowMs);
}

function dayLines(
  span: RefusedDays,
  result: GateResult,
  { lakeFlags, width }: { readonly lakeFlags: string; readonly width: number | null },
): string[] {
  const about = [dayOf(span.startMs), span.filesGone ? 'files gone' : span.state, sinceText(span)];
  const text = about.filter((part) => part !== '').join('  ');
  const command = dayCommand(span, { ...result.question, ...result }, lakeFlags);
  const line = `${text}  ${command}`;
  return width === null || line.length <= width ? [line] : [text, `  ${command}`];
}

function sinceText({ state, sinceMs, endMs }: RefusedDays): string {
  if (state === 'open') return `until ${instantText(endMs + SETTLE_LAG_MS)}`;
  return sinceMs === null ? '' : `since ${instantText(Math.floor(sinceMs / 1_000) * 1_000)}`;
}

/** The result as plain data. `notProven` has an entry for consecutive days of one cause. */
export function gateDocument(result: GateResult, lakeFlags: string) {
  const { question, version, days, refused } = result;
  return {
    passes: gateExitCode(result) === 0,
    require: question.require,
    ...fromTo(wholeDaysOf(question.range)),
    days,
    version,
    stale: staleText(result),
    notProven: refused.map((span) => ({
      ...fromTo(span),
      days: (span.endMs - span.startMs) / MS_PER_DAY,
      state: span.state,
      filesGone: span.filesGone,
      since: span.sinceMs === null ? null : isoInstant(span.sinceMs),
      command: dayCommand(span, { ...result.question, ...result }, lakeFlags),
    })),
  };
}

function fromTo({ startMs, endMs }: TimeRange): { readonly from: Day; readonly to: Day } {
  return { from: dayOf(startMs), to: dayOf(endMs - 1) };
}

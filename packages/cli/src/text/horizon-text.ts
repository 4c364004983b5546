import { dayOf, durationText, nounText, type TimeRange } from '@edrlake/core';
import { type LakeStatus, lossOf, lossText } from '@edrlake/runner/history';

/** Stretches of days shown one by one. */
const SHOWN = 3;

/**
 * Lines of a status: how far back the API answers, and which days are lost unless they are proven before. Empty where
 * that is not known.
 */
export function horizonPairs(
  { horizon: { retentionMs }, calendar }: Pick<LakeStatus, 'horizon' | 'calendar'>,
  nowMs: number,
): [string, string][] {
  if (retentionMs === null) return [];
  const losses = calendar.spans.flatMap((span) => {
    const loss = span.state === 'complete' || span.state === 'open' ? null : lossOf(span, retentionMs, nowMs);
    return loss === null ? [] : [`${spanText(span)}: ${lossText(loss)}`];
  });
  const more = losses.length - SHOWN;
  if (more > 0) losses.splice(SHOWN, more, `… and ${nounText(more, 'other stretch', 'other stretches')} of days`);
  return [
    ['Retention', `the API answers for the last ${durationText(retentionMs)}`],
    ...losses.map((text): [string, string] => ['Not proven', text]),
  ];
}

function spanText({ startMs, endMs }: TimeRange): string {
  const [first, last] = [dayOf(startMs), dayOf(endMs - 1)];
  return first === last ? first : `${first} to ${last}`;
}

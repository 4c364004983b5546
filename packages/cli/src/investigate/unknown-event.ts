import { dayOf, EdrlakeError, isoInstant, MS_PER_DAY, nounText, rangeFlagsText } from '@edrlake/core';
import type { FoundEvent } from '@edrlake/lake';
import type { Absence } from '@edrlake/runner/history';

/** What it means that the lake does not hold it. */
export function unknownEvent(
  { eventId, version, rejects, lostFiles }: FoundEvent,
  { range, days, provenDays, unproven }: Absence,
  lakeFlags: string,
): EdrlakeError {
  const [reject] = rejects;
  if (reject !== undefined) {
    return new EdrlakeError(
      'EVENT_UNKNOWN',
      `${eventId} is no event of the lake but a reject: ${reject.values.reason}`,
      {
        context: { eventId, version, path: reject.file },
        hint: `Its record is in the table rejects: edrlake query "from rejects where event_id = '${eventId.replaceAll("'", "''")}'"${lakeFlags}`,
      },
    );
  }
  if (range === null) {
    return new EdrlakeError('EVENT_UNPROVEN', `the lake holds no event ${eventId}: it is empty, and no day is proven`, {
      context: { eventId, version, days: 0, provenDays: 0 },
      hint: 'Fetch something first: edrlake backfill --from DAY --to DAY',
    });
  }
  const [first, last] = [dayOf(range.startMs), dayOf(range.endMs - MS_PER_DAY)];
  const about = { eventId, version, from: first, to: last, days, provenDays };
  const asked = `of ${nounText(days, 'day')} from ${first} to ${last}`;
  const gone = lostFiles.length === 0 ? '' : `; ${nounText(lostFiles.length, 'data file')} of its day are gone`;
  if (unproven.length === 0 && lostFiles.length === 0) {
    return new EdrlakeError('EVENT_UNKNOWN', `the lake holds no event ${eventId}: ${provenDays} ${asked} are proven`, {
      context: about,
      hint: 'On these days the API listed no such event when they were counted. Check the id, or ask the API with --api --agent AGENT.',
    });
  }
  const open = unproven.slice(0, SHOWN).map(({ startMs, endMs }) => spanText(startMs, endMs));
  const more = unproven.length > SHOWN ? `, and ${nounText(unproven.length - SHOWN, 'more span')}` : '';
  const where = open.length === 0 ? '' : `; unproven: ${open.join(', ')}${more}`;
  const [next] = unproven;
  return new EdrlakeError(
    'EVENT_UNPROVEN',
    `the lake holds no event ${eventId}, but only ${provenDays} ${asked} are proven${where}${gone}`,
    {
      context: about,
      hint: `It may have happened on one of the others. Next: edrlake ${next === undefined ? 'reconcile --repair' : `gate ${rangeFlagsText(next)}`}${lakeFlags}`,
    },
  );
}

/** Spans that the message names. */
const SHOWN = 3;

function spanText(startMs: number, endMs: number): string {
  const [first, last] = [isoInstant(startMs).slice(0, 10), isoInstant(endMs - MS_PER_DAY).slice(0, 10)];
  return first === last ? first : `${first} to ${last}`;
}

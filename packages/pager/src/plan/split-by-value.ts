import {
  EdrlakeError,
  type EventQuery,
  type FilterField,
  isoInstant,
  type PlannedWindow,
  type ValueCount,
  type WindowFilter,
  windowOf,
} from '@edrlake/core';
import type { CountClient } from './count-client.ts';
import type { WindowSizes } from './page-math.ts';

/** What divides one millisecond, in this order. */
const CUT_FIELDS: readonly FilterField[] = ['type', 'agent'];

/** Values one window may select: each is some 45 bytes of the request's URL. */
const MAX_SELECTED_VALUES = 40;

/** Values the remaining window may exclude: servers commonly take URLs of 8 KiB. */
const MAX_EXCLUDED_VALUES = 120;

/** Values asked for at once; more than can be excluded anyway. */
const GROUP_LIMIT = 1_000;

/**
 * Cuts a query that time cannot divide by the values of a field: windows that select the most frequent values, and one
 * that takes everything else by excluding them. So the windows tile the query whatever values there are, and the last
 * one needs no request of its own to be counted. A window may turn out empty only where data changed in between.
 * @throws {EdrlakeError} `WINDOW_INDIVISIBLE` naming what still holds too many events.
 */
export async function splitByValue(
  countClient: CountClient,
  query: EventQuery,
  count: number,
  sizes: WindowSizes,
  fields: readonly FilterField[] = CUT_FIELDS,
): Promise<PlannedWindow[]> {
  if (count <= sizes.maxEvents) return [{ window: windowOf(query), count }];
  const [field, ...otherFields] = fields;
  if (field === undefined) throw indivisible(query, count, sizes);
  const values = usable(await countClient.groups(query, field, GROUP_LIMIT), query, field);
  const packs = packValues(values, count, sizes.maxEvents);
  if (packs.length === 0) return splitByValue(countClient, query, count, sizes, otherFields);

  const windows: PlannedWindow[] = [];
  for (const pack of packs) {
    const part = withCut(query, { field, op: 'in', values: pack.values });
    windows.push(...(await splitByValue(countClient, part, pack.count, sizes, otherFields)));
  }
  const excluded = packs.flatMap((pack) => pack.values);
  const rest = withCut(query, { field, op: 'not-in', values: excluded });
  if (excluded.length > MAX_EXCLUDED_VALUES) throw indivisible(rest, count, sizes);
  const grouped = values.reduce((sum, value) => sum + value.count, 0);
  const selected = packs.reduce((sum, pack) => sum + pack.count, 0);
  // Groups that hold more than the count saw were taken later, or earlier: only a count of the rest itself can tell.
  const restCount = grouped > count ? await countClient.count(rest) : count - selected;
  windows.push(...(await splitByValue(countClient, rest, restCount, sizes, otherFields)));
  return windows;
}

interface ValuePack {
  readonly values: string[];
  count: number;
}

/**
 * The most frequent values in packs of at most `maxEvents` events, no more of them than needed to bring the rest under
 * the limit. A value that alone exceeds it is a pack of its own. The last value is left to the rest, which so never is empty.
 */
function packValues(values: readonly ValueCount[], count: number, maxEvents: number): ValuePack[] {
  const packs: ValuePack[] = [];
  const grouped = values.reduce((sum, value) => sum + value.count, 0);
  let rest = Math.max(count, grouped);
  const selectable = grouped >= count ? values.slice(0, -1) : values;
  for (const { value, count: events } of selectable) {
    if (rest <= maxEvents) break;
    const pack = packs.find((one) => one.count + events <= maxEvents && one.values.length < MAX_SELECTED_VALUES);
    if (pack === undefined) packs.push({ values: [value], count: events });
    else {
      pack.values.push(value);
      pack.count += events;
    }
    rest -= events;
  }
  return packs;
}

/** Most frequent first, each value once, without those the query excludes or that hold nothing. */
function usable(groups: readonly ValueCount[], query: EventQuery, field: FilterField): ValueCount[] {
  const seen = new Set(query.cuts.filter((cut) => cut.field === field).flatMap((cut) => cut.values));
  const values: ValueCount[] = [];
  for (const group of groups) {
    if (group.count <= 0 || seen.has(group.value)) continue;
    seen.add(group.value);
    values.push(group);
  }
  return values.sort((a, b) => b.count - a.count);
}

function withCut(query: EventQuery, cut: WindowFilter): EventQuery {
  return { ...query, cuts: [...query.cuts, cut] };
}

function indivisible(query: EventQuery, count: number, sizes: WindowSizes): EdrlakeError {
  const cuts = query.cuts.map(({ field, op, values }) => {
    const named =
      values.length > 3 ? `${values.slice(0, 3).join(', ')} and ${values.length - 3} more` : values.join(', ');
    return `, ${field} ${op === 'in' ? '' : 'other than '}${named}`;
  });
  const startAt = isoInstant(query.range.startMs);
  return new EdrlakeError(
    'WINDOW_INDIVISIBLE',
    `expected at most ${sizes.maxEvents} events in any millisecond, type and agent, found ${count} at ${startAt}${cuts.join('')}`,
    { context: { startAt, count, maxEvents: sizes.maxEvents }, hint: 'Narrow the export with --filter.' },
  );
}

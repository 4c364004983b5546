import {
  EdrlakeError,
  type EventQuery,
  type FilterField,
  isoInstant,
  type PlannedWindow,
  sum,
  type ValueCount,
  type WindowFilter,
  windowOf,
} from '@edrlake/core';
import type { CountClient } from './count-client.ts';
import type { WindowSizes } from './page-math.ts';

/** The fields that divide one millisecond, in this order. */
const CUT_FIELDS: readonly FilterField[] = ['type', 'agent'];

/** The most values that one window selects: each takes about 45 bytes of the request's URL. */
const MAX_SELECTED_VALUES = 40;

/** The most values that the remaining window excludes: servers commonly accept URLs of 8 KiB. */
const MAX_EXCLUDED_VALUES = 120;

/** Values requested at once; more cannot be excluded. */
const GROUP_LIMIT = 1_000;

/**
 * Divides a query that time cannot divide by the values of a field: windows that select the most frequent values, and
 * one that takes everything else by excluding them. So the windows tile the query for any values, and the last one
 * needs no count of its own. A window may be empty only where data changed in between.
 * @throws {EdrlakeError} `WINDOW_INDIVISIBLE` naming the part that still has too many events.
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
    const part = withFilter(query, { field, op: 'in', values: pack.values });
    windows.push(...(await splitByValue(countClient, part, pack.count, sizes, otherFields)));
  }
  const excluded = packs.flatMap((pack) => pack.values);
  const rest = withFilter(query, { field, op: 'not-in', values: excluded });
  if (excluded.length > MAX_EXCLUDED_VALUES) throw indivisible(rest, count, sizes);
  const grouped = sum(values, (value) => value.count);
  const selected = sum(packs, (pack) => pack.count);
  // Groups with more events than the count were counted at another time: only a count of the rest itself decides.
  const restCount = grouped > count ? await countClient.count(rest) : count - selected;
  windows.push(...(await splitByValue(countClient, rest, restCount, sizes, otherFields)));
  return windows;
}

interface ValuePack {
  readonly values: string[];
  count: number;
}

/**
 * The most frequent values in packs of at most `maxEvents` events, no more than needed to bring the rest below the
 * limit. A value that alone exceeds it is a pack of its own. The last value is left to the rest, which is therefore
 * never empty.
 */
function packValues(values: readonly ValueCount[], count: number, maxEvents: number): ValuePack[] {
  const packs: ValuePack[] = [];
  const grouped = sum(values, (value) => value.count);
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

/** Most frequent first, each value once, without those that the query excludes or that have no events. */
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

function withFilter(query: EventQuery, filter: WindowFilter): EventQuery {
  return { ...query, cuts: [...query.cuts, filter] };
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

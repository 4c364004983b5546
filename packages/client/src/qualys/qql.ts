import {
  EdrlakeError,
  type EventQuery,
  isoInstant,
  type TimeAxis,
  type TimeRange,
  type WindowFilter,
} from '@edrlake/core';

/** How a platform spells the fields that windows select on. */
export interface FilterTokens {
  /**
   * The time token of each axis: `event.dateTime` and `event.eventProcessedTime`, on newer platforms `event.datetime`
   * and `event.eventprocesstime`.
   */
  readonly timeTokens: Readonly<Record<TimeAxis, string>>;
  readonly typeToken: string;
  readonly agentToken: string;
}

/** As the two vendor documents spell them. */
export const DOCUMENTED_TOKENS: FilterTokens = {
  timeTokens: { event: 'event.dateTime', processed: 'event.eventProcessedTime' },
  typeToken: 'type',
  agentToken: 'asset.agentid',
};

/**
 * The filter of a query as it is sent:
 * `(event.dateTime : ['…000Z' .. '…999Z']) AND (type: 'FILE') AND (<the user's filter>)`. The half-open range becomes
 * whole milliseconds, inclusive at both ends, so that neighbouring windows share no event.
 * @throws {EdrlakeError} `FILTER_REJECTED` when the user's filter would escape its parentheses or a value cannot be
 * quoted
 */
export function windowQql(query: Pick<EventQuery, 'axis' | 'range' | 'cuts' | 'scope'>, tokens: FilterTokens): string {
  const parts = [
    rangeFilter(query.range, tokens.timeTokens[query.axis]),
    ...query.cuts.flatMap((filter) => valueFilter(filter, tokens)),
  ];
  const userFilter = query.scope.filter?.trim() ?? '';
  if (userFilter !== '') {
    checkSelfContained(userFilter);
    parts.push(userFilter);
  }
  return parts.map((part) => `(${part})`).join(' AND ');
}

function rangeFilter(range: TimeRange, token: string): string {
  return `${token} : ['${isoInstant(range.startMs)}' .. '${isoInstant(range.endMs - 1)}']`;
}

function valueFilter(filter: WindowFilter, tokens: FilterTokens): string[] {
  const token = filter.field === 'type' ? tokens.typeToken : tokens.agentToken;
  const [firstValue] = filter.values;
  if (firstValue === undefined) {
    if (filter.op === 'not-in') return [];
    throw new EdrlakeError('BUG', `a filter by ${filter.field} without values selects nothing`);
  }
  const either = filter.values.map((value) => `${token}: ${quoteValue(value)}`).join(' OR ');
  return [filter.op === 'in' ? either : `NOT (${either})`];
}

/**
 * Quotes a value in the first of the three quote styles that does not occur in it: the language documents no way to
 * escape a quote.
 * @throws {EdrlakeError} `FILTER_REJECTED` when the value contains all three
 */
export function quoteValue(value: string): string {
  const quote = ["'", '"', '`'].find((candidate) => !value.includes(candidate));
  if (quote !== undefined) return `${quote}${value}${quote}`;
  throw new EdrlakeError('FILTER_REJECTED', `a value with all three kinds of quotes cannot be written: ${value}`, {
    hint: 'Narrow the range, so that no filter by this value is needed.',
  });
}

/** A filter whose parentheses or quotes do not close would swallow or escape the range that it is combined with. */
function checkSelfContained(filter: string): void {
  const unquoted = filter.replace(/'[^']*'|"[^"]*"|`[^`]*`/g, '');
  const openQuote = /['"`]/.exec(unquoted)?.[0];
  if (openQuote !== undefined) throw unbalanced(`leaves a quote open: ${openQuote}`, filter);
  // The ends of a range may be of different kinds: [3 .. 9) includes only the first.
  const grouped = unquoted.replace(/[[(][^()[\]]*\.\.[^()[\]]*[\])]/g, '');
  let depth = 0;
  for (const character of grouped) {
    if (character === '(') depth++;
    if (character === ')') depth--;
    if (depth < 0) throw unbalanced('closes a parenthesis it did not open', filter);
  }
  if (depth > 0) throw unbalanced('leaves a parenthesis open', filter);
}

function unbalanced(problem: string, filter: string): EdrlakeError {
  return new EdrlakeError('FILTER_REJECTED', `the filter ${problem}: ${filter}`, {
    hint: 'Balance it. A value that holds a quote goes into another kind of quotes: \', " or `.',
  });
}

import type { TimeRange } from '@edrlake/core';
import type { EventWorld } from '../records/render-list.ts';
import type { Axis } from '../world/population.ts';
import type { EventSequence } from '../world/sequence.ts';
import { DAY_MS, parseInstant } from '../world/time-text.ts';
import { type Condition, type FilterNode, parseFilter } from './filter-language.ts';
import { type FilterProblem, filterProblem, isFilterProblem } from './filter-lexer.ts';
import type { Token, TokenTable } from './tokens.ts';

/** The selection of a request, without how to show it. */
export interface Question {
  readonly filter: string | null;
  /** Whole UTC days on the event axis, both included, in epoch seconds; the time of day is ignored. */
  readonly fromDateSeconds: number | null;
  readonly toDateSeconds: number | null;
  readonly currentOnly: boolean;
}

/**
 * The events that a query selects: those from `startRank` to before `endRank` of an axis's visible events that pass
 * `matches`. Where `matches` is null the count is known without reading events. Valid until the data changes.
 */
export interface Selection {
  readonly axis: Axis;
  /** The time the ranks span, `-Infinity` and `Infinity` where it is open. */
  readonly range: TimeRange;
  readonly sequence: EventSequence;
  readonly startRank: number;
  readonly endRank: number;
  readonly matches: ((index: number) => boolean) | null;
}

const EVERYTHING: TimeRange = { startMs: Number.NEGATIVE_INFINITY, endMs: Number.POSITIVE_INFINITY };

/** Answers a query with a selection, or with why it cannot be understood. */
export function selectEvents(world: EventWorld, tokens: TokenTable, question: Question): Selection | FilterProblem {
  const parsed = question.filter === null || question.filter.trim() === '' ? null : parseFilter(question.filter);
  if (parsed !== null && isFilterProblem(parsed)) return parsed;
  const ranges: Record<Axis, TimeRange | null> = { event: dayRange(question), processed: null };
  const rest: ((index: number) => boolean)[] = [];
  try {
    for (const part of parsed === null ? [] : conjuncts(parsed)) {
      const asRange = part.kind === 'test' ? timeTest(tokens, part.token, part.condition) : null;
      if (asRange === null) rest.push(predicateOf(world, tokens, part));
      else ranges[asRange.axis] = overlap(ranges[asRange.axis] ?? EVERYTHING, asRange.range);
    }
  } catch (thrown) {
    if (isFilterProblem(thrown)) return thrown;
    throw thrown;
  }
  if (question.currentOnly) rest.push(world.attributes.isCurrent);
  return narrowest(world, ranges, rest);
}

/** How many events a selection holds. */
export function countOf(selection: Selection): number {
  if (selection.matches === null) return selection.endRank - selection.startRank;
  let count = 0;
  for (let rank = selection.startRank; rank < selection.endRank; rank += 1) {
    if (selection.matches(selection.sequence.indexAt(rank))) count += 1;
  }
  return count;
}

/** Reads the axis on which the query spans fewer events and tests the other one event by event. */
function narrowest(
  world: EventWorld,
  ranges: Record<Axis, TimeRange | null>,
  rest: ((index: number) => boolean)[],
): Selection {
  const { population } = world;
  const ranked = (axis: Axis, range: TimeRange) => {
    const sequence = population.visible(axis);
    const startRank = sequence.rankBefore(range.startMs, -1);
    return { axis, range, sequence, startRank, endRank: Math.max(startRank, sequence.rankBefore(range.endMs, -1)) };
  };
  const byEvent = ranked('event', ranges.event ?? EVERYTHING);
  if (ranges.processed === null) return { ...byEvent, matches: allOf(rest) };
  const byProcessed = ranked('processed', ranges.processed);
  if (ranges.event === null || byProcessed.endRank - byProcessed.startRank <= byEvent.endRank - byEvent.startRank) {
    if (ranges.event !== null) rest.unshift(inRange(population.timeOf, ranges.event));
    return { ...byProcessed, matches: allOf(rest) };
  }
  rest.unshift(inRange(population.processedOf, ranges.processed));
  return { ...byEvent, matches: allOf(rest) };
}

function allOf(tests: readonly ((index: number) => boolean)[]): ((index: number) => boolean) | null {
  const [only] = tests;
  if (only === undefined) return null;
  return tests.length === 1 ? only : (index) => tests.every((test) => test(index));
}

function inRange(timeOf: (index: number) => number, range: TimeRange): (index: number) => boolean {
  return (index) => {
    const atMs = timeOf(index);
    return atMs >= range.startMs && atMs < range.endMs;
  };
}

/** The parts of which all must be true, at any depth. */
function conjuncts(node: FilterNode): FilterNode[] {
  return node.kind === 'and' ? node.parts.flatMap(conjuncts) : [node];
}

function overlap(a: TimeRange, b: TimeRange): TimeRange {
  return { startMs: Math.max(a.startMs, b.startMs), endMs: Math.min(a.endMs, b.endMs) };
}

function dayRange({ fromDateSeconds, toDateSeconds }: Question): TimeRange | null {
  if (fromDateSeconds === null && toDateSeconds === null) return null;
  const dayStartMs = (seconds: number) => Math.floor((seconds * 1000) / DAY_MS) * DAY_MS;
  return {
    startMs: fromDateSeconds === null ? EVERYTHING.startMs : dayStartMs(fromDateSeconds),
    endMs: toDateSeconds === null ? EVERYTHING.endMs : dayStartMs(toDateSeconds) + DAY_MS,
  };
}

/** A test on a time token as a range of its axis, or null for a test on anything else. @throws {FilterProblem} */
function timeTest(tokens: TokenTable, name: string, condition: Condition): { axis: Axis; range: TimeRange } | null {
  const token = knownToken(tokens, name);
  if (token.kind !== 'time' || condition.kind === 'one-of') return null;
  return { axis: token.axis, range: timeRangeOf(condition) };
}

function timeRangeOf(condition: Exclude<Condition, { kind: 'one-of' }>): TimeRange {
  const { startMs, endMs } = EVERYTHING;
  switch (condition.kind) {
    case 'equals':
      return momentOf(condition.value);
    case 'range': {
      const low = momentOf(condition.low);
      const high = momentOf(condition.high);
      return condition.inclusive
        ? { startMs: low.startMs, endMs: high.endMs }
        : { startMs: low.endMs, endMs: high.startMs };
    }
    case 'compare': {
      const moment = momentOf(condition.value);
      if (condition.operator === '>=') return { startMs: moment.startMs, endMs };
      if (condition.operator === '>') return { startMs: moment.endMs, endMs };
      return { startMs, endMs: condition.operator === '<=' ? moment.endMs : moment.startMs };
    }
  }
}

/** The range that a date (its whole UTC day) or an instant (its millisecond) means. */
function momentOf(text: string): TimeRange {
  const instant = parseInstant(text);
  if (instant === null) throw filterProblem(`"${text}" is not a date`, 0);
  return { startMs: instant.epochMs, endMs: instant.epochMs + (instant.dayOnly ? DAY_MS : 1) };
}

function knownToken(tokens: TokenTable, name: string): Token {
  const token = tokens.inFilter(name);
  if (token === null) throw filterProblem(`unknown token "${name}"`, 0);
  return token;
}

function predicateOf(world: EventWorld, tokens: TokenTable, node: FilterNode): (index: number) => boolean {
  if (node.kind === 'not') {
    const part = predicateOf(world, tokens, node.part);
    return (index) => !part(index);
  }
  if (node.kind !== 'test') {
    const parts = node.parts.map((part) => predicateOf(world, tokens, part));
    return node.kind === 'and'
      ? (index) => parts.every((part) => part(index))
      : (index) => parts.some((part) => part(index));
  }
  const token = knownToken(tokens, node.token);
  if (token.kind === 'time') {
    const timeOf = token.axis === 'event' ? world.population.timeOf : world.population.processedOf;
    const { condition } = node;
    if (condition.kind !== 'one-of') return inRange(timeOf, timeRangeOf(condition));
    const moments = condition.values.map((value) => inRange(timeOf, momentOf(value)));
    return (index) => moments.some((holds) => holds(index));
  }
  return token.kind === 'number' ? numberTest(token.value, node.condition) : textTest(token.value, node.condition);
}

type Value = (index: number) => string | number | null;

function numberTest(value: Value, condition: Condition): (index: number) => boolean {
  const read = (text: string) => {
    const number = Number(text);
    if (text.trim() === '' || !Number.isFinite(number)) throw filterProblem(`"${text}" is not a number`, 0);
    return number;
  };
  const holds = comparison(condition, read, (a, b) => a - b);
  return (index) => {
    const found = value(index);
    return found !== null && holds(Number(found));
  };
}

/** Text is compared without regard to case. */
function textTest(value: Value, condition: Condition): (index: number) => boolean {
  const holds = comparison(
    condition,
    (text) => text.toLowerCase(),
    (a, b) => (a < b ? -1 : a > b ? 1 : 0),
  );
  return (index) => {
    const found = value(index);
    return found !== null && holds(String(found).toLowerCase());
  };
}

function comparison<T>(
  condition: Condition,
  read: (text: string) => T,
  compare: (a: T, b: T) => number,
): (found: T) => boolean {
  switch (condition.kind) {
    case 'equals': {
      const wanted = read(condition.value);
      return (found) => found === wanted;
    }
    case 'one-of': {
      const wanted = new Set(condition.values.map(read));
      return (found) => wanted.has(found);
    }
    case 'range': {
      const low = read(condition.low);
      const high = read(condition.high);
      return condition.inclusive
        ? (found) => compare(found, low) >= 0 && compare(found, high) <= 0
        : (found) => compare(found, low) > 0 && compare(found, high) < 0;
    }
    case 'compare': {
      const wanted = read(condition.value);
      const { operator } = condition;
      if (operator === '>=') return (found) => compare(found, wanted) >= 0;
      if (operator === '>') return (found) => compare(found, wanted) > 0;
      return operator === '<=' ? (found) => compare(found, wanted) <= 0 : (found) => compare(found, wanted) < 0;
    }
  }
}

import {
  type FilterProblem,
  filterProblem,
  isFilterProblem,
  type Lexeme,
  type Lexer,
  lexerOf,
} from './filter-lexer.ts';

/** As written in a query. */
export type Comparison = '>' | '>=' | '<' | '<=';

/** What a token is compared with. */
export type Condition =
  | { readonly kind: 'equals'; readonly value: string }
  | { readonly kind: 'one-of'; readonly values: readonly string[] }
  | { readonly kind: 'compare'; readonly operator: Comparison; readonly value: string }
  | { readonly kind: 'range'; readonly low: string; readonly high: string; readonly inclusive: boolean };

/** A query as a tree. */
export type FilterNode =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly FilterNode[] }
  | { readonly kind: 'not'; readonly part: FilterNode }
  | { readonly kind: 'test'; readonly token: string; readonly condition: Condition };

/** Nesting beyond this is refused, so that a query cannot exhaust the stack. */
const DEPTH_LIMIT = 200;

/**
 * Parses a query: `token:value`, comparisons, `[a .. b]`, `(a .. b)`, `[a, b, c]`, NOT before AND before OR,
 * parentheses, `'…'`, `"…"` and backticks. Keywords in either case. It knows no tokens: the evaluation of the tree
 * does.
 */
export function parseFilter(text: string): FilterNode | FilterProblem {
  try {
    const lexer = lexerOf(text);
    const node = parseOr(lexer, 0);
    const rest = lexer.next('token');
    if (rest.kind !== 'end') throw filterProblem(`expected AND, OR or the end, found "${rest.text}"`, rest.at);
    return node;
  } catch (thrown) {
    if (isFilterProblem(thrown)) return thrown;
    throw thrown;
  }
}

function isKeyword(lexeme: Lexeme, keyword: 'AND' | 'OR' | 'NOT'): boolean {
  return lexeme.kind === 'word' && lexeme.text.toUpperCase() === keyword;
}

function parseOr(lexer: Lexer, depth: number): FilterNode {
  return parseChain(lexer, 'OR', () => parseChain(lexer, 'AND', () => parseNot(lexer, depth)));
}

function parseChain(lexer: Lexer, keyword: 'AND' | 'OR', parsePart: () => FilterNode): FilterNode {
  const first = parsePart();
  const parts = [first];
  while (isKeyword(lexer.peek('token'), keyword)) {
    lexer.next('token');
    parts.push(parsePart());
  }
  return parts.length === 1 ? first : { kind: keyword === 'AND' ? 'and' : 'or', parts };
}

function parseNot(lexer: Lexer, depth: number): FilterNode {
  if (depth > DEPTH_LIMIT) throw filterProblem('nested too deeply', lexer.peek('token').at);
  if (isKeyword(lexer.peek('token'), 'NOT')) {
    lexer.next('token');
    return { kind: 'not', part: parseNot(lexer, depth + 1) };
  }
  const lexeme = lexer.next('token');
  if (lexeme.kind === 'symbol' && lexeme.text === '(') {
    const node = parseOr(lexer, depth + 1);
    expectSymbol(lexer, ')');
    return node;
  }
  if (lexeme.kind !== 'word') throw filterProblem(`expected a token, found "${lexeme.text}"`, lexeme.at);
  return { kind: 'test', token: lexeme.text, condition: parseCondition(lexer) };
}

function parseCondition(lexer: Lexer): Condition {
  const lexeme = lexer.next('token');
  if (lexeme.kind === 'operator') return { kind: 'compare', operator: lexeme.text, value: parseValue(lexer) };
  if (lexeme.kind !== 'symbol' || lexeme.text !== ':') {
    throw filterProblem(`expected ":" or a comparison, found "${lexeme.text}"`, lexeme.at);
  }
  const following = lexer.peek('value');
  if (following.kind === 'operator') {
    lexer.next('value');
    return { kind: 'compare', operator: following.text, value: parseValue(lexer) };
  }
  if (following.kind === 'symbol' && following.text === '(') return parseRange(lexer, false);
  if (following.kind === 'symbol' && following.text === '[') return parseRange(lexer, true);
  return { kind: 'equals', value: parseValue(lexer) };
}

/** After `[` or `(`: two values with `..` between them, or, in brackets, values with commas between them. */
function parseRange(lexer: Lexer, inclusive: boolean): Condition {
  lexer.next('value');
  const first = parseValue(lexer);
  const lexeme = lexer.next('value');
  if (lexeme.kind === 'symbol' && lexeme.text === '..') {
    const high = parseValue(lexer);
    expectSymbol(lexer, inclusive ? ']' : ')');
    return { kind: 'range', low: first, high, inclusive };
  }
  const values = [first];
  let separator = lexeme;
  while (inclusive && separator.kind === 'symbol' && separator.text === ',') {
    values.push(parseValue(lexer));
    separator = lexer.next('value');
  }
  if (!inclusive || separator.kind !== 'symbol' || separator.text !== ']') {
    throw filterProblem(`expected ".." or the end of the list, found "${separator.text}"`, separator.at);
  }
  return { kind: 'one-of', values };
}

function parseValue(lexer: Lexer): string {
  const lexeme = lexer.next('value');
  if (lexeme.kind !== 'word' && lexeme.kind !== 'quoted') {
    throw filterProblem(`expected a value, found "${lexeme.text}"`, lexeme.at);
  }
  return lexeme.text;
}

function expectSymbol(lexer: Lexer, text: ')' | ']'): void {
  const lexeme = lexer.next('token');
  if (lexeme.kind !== 'symbol' || lexeme.text !== text) {
    throw filterProblem(`expected "${text}", found "${lexeme.text}"`, lexeme.at);
  }
}

/** A piece of a query. `at` is its position in the text, from 0. */
export type Lexeme =
  | { readonly kind: 'symbol'; readonly text: '(' | ')' | '[' | ']' | ',' | ':' | '..'; readonly at: number }
  | { readonly kind: 'operator'; readonly text: '>' | '>=' | '<' | '<='; readonly at: number }
  | { readonly kind: 'word'; readonly text: string; readonly at: number }
  | { readonly kind: 'quoted'; readonly text: string; readonly at: number }
  | { readonly kind: 'end'; readonly text: ''; readonly at: number };

/** Why a query cannot be read. Becomes a 400. */
export interface FilterProblem {
  readonly problem: string;
  readonly at: number;
}

/** Thrown inside the query language only; `parseFilter` returns it as a value. */
export function filterProblem(problem: string, at: number): FilterProblem {
  return { problem, at };
}

/** Whether a thrown value is a query's problem. */
export function isFilterProblem(thrown: unknown): thrown is FilterProblem {
  return typeof thrown === 'object' && thrown !== null && 'problem' in thrown;
}

/**
 * Reads lexemes one after another. The end of a bare word depends on its position: a value may contain colons, a token
 * may not.
 */
export interface Lexer {
  /** The next lexeme; not consumed. */
  peek(as: 'token' | 'value'): Lexeme;
  next(as: 'token' | 'value'): Lexeme;
}

const QUOTES = new Set(["'", '"', '`']);
const SYMBOLS = new Set(['(', ')', '[', ']', ',', ':']);
const BREAKS = /[\s()[\],'"`<>]/;

/** @throws {FilterProblem} from `peek` and `next` where a quote is not closed or a character is not allowed */
export function lexerOf(text: string): Lexer {
  let position = 0;
  const read = (as: 'token' | 'value'): { lexeme: Lexeme; end: number } => {
    let at = position;
    while (at < text.length && /\s/.test(text[at] as string)) at += 1;
    const char = text[at];
    if (char === undefined) return { lexeme: { kind: 'end', text: '', at }, end: at };
    if (QUOTES.has(char)) return readQuoted(text, at);
    if (text.startsWith('..', at)) return { lexeme: { kind: 'symbol', text: '..', at }, end: at + 2 };
    if (char === '>' || char === '<') {
      const operator = text[at + 1] === '=' ? (`${char}=` as '>=' | '<=') : (char as '>' | '<');
      return { lexeme: { kind: 'operator', text: operator, at }, end: at + operator.length };
    }
    if (SYMBOLS.has(char)) return { lexeme: { kind: 'symbol', text: char as ':', at }, end: at + 1 };
    return readWord(text, at, as);
  };
  return {
    peek: (as) => read(as).lexeme,
    next(as) {
      const { lexeme, end } = read(as);
      position = end;
      return lexeme;
    },
  };
}

function readWord(text: string, at: number, as: 'token' | 'value'): { lexeme: Lexeme; end: number } {
  let end = at;
  while (end < text.length) {
    const char = text[end] as string;
    if (BREAKS.test(char) || text.startsWith('..', end) || (as === 'token' && char === ':')) break;
    end += 1;
  }
  return { lexeme: { kind: 'word', text: text.slice(at, end), at }, end };
}

/**
 * Up to the next quote of the same kind. No document names an escape character, so backslashes are ordinary characters.
 */
function readQuoted(text: string, at: number): { lexeme: Lexeme; end: number } {
  const quote = text[at] as string;
  const close = text.indexOf(quote, at + 1);
  if (close < 0) throw filterProblem(`the quote ${quote} is not closed`, at);
  return { lexeme: { kind: 'quoted', text: text.slice(at + 1, close), at }, end: close + 1 };
}

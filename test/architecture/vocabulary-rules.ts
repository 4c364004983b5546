import type { TextFile } from './repository.ts';
import { type Source, visit } from './source.ts';
import type { Violation } from './violation.ts';

/** Words that hide a subject or stand where the field has a term, and what to write. Whole words, any case. */
const FORBIDDEN_WORDS: readonly { readonly pattern: RegExp; readonly instead: string }[] = [
  { pattern: /\bnobody\b/gi, instead: 'no process, no reader, no user' },
  { pattern: /\b(?:some|any|every)body\b/gi, instead: 'the caller, another process, a user' },
  { pattern: /\b(?:who|what|which)(?:so)?ever\b/gi, instead: 'the noun: a waiter, a writer, any value' },
  { pattern: /\bso (?:many|much|long)\b(?! (?:as|that)\b)/gi, instead: 'the number and its unit' },
  { pattern: /\b(?:lies|lay|lain)\b/gi, instead: 'is, is stored, is in' },
  { pattern: /\b(?:stands|stood)\b/gi, instead: 'is, means, remains' },
  { pattern: /\b(?:tells|told)\b/gi, instead: 'says, reports, sends, determines' },
  { pattern: /\bmend(?:s|ed|ing)?\b/gi, instead: 'repair, fix' },
  { pattern: /\bodd(?:ity|ities)?\b/gi, instead: 'irregular' },
];

/** The longest line of comments and prose. */
const WIDTH = 120;

/**
 * Lines of comments and of Markdown prose above the width. Exempt: code, strings (messages and SQL are wrapped where
 * they are printed), tables, code blocks and addresses in Markdown, and comments for tools.
 */
export function widthViolations(sources: readonly Source[], files: readonly TextFile[]): Violation[] {
  return [
    ...sources.flatMap((source) => {
      const lines = source.text.split('\n');
      const commented = source.comments.flatMap(({ start, value }) => {
        const first = source.lineAt(start);
        return value.split('\n').map((text, index) => ({ line: first + index, text }));
      });
      return commented
        .filter(({ line, text }) => [...(lines[line - 1] ?? '')].length > WIDTH && !/biome-ignore|@ts-/.test(text))
        .map(({ line }) => tooLong(source.path, line));
    }),
    ...files
      .filter(({ path }) => path.endsWith('.md'))
      .flatMap(({ path, text }) => {
        const prose = text.replace(/```[\s\S]*?```/g, (code) => code.replaceAll(/[^\n]/g, ''));
        return prose.split('\n').flatMap((line, index) => {
          const isExempt = line.startsWith('|') || line.startsWith('<!--') || /^\s*\S+$/.test(line);
          return [...line].length > WIDTH && !isExempt ? [tooLong(path, index + 1)] : [];
        });
      }),
  ];
}

function tooLong(file: string, line: number): Violation {
  return { file, line, problem: `prose above ${WIDTH} characters`, remedy: 'Wrap it' };
}

/** Forbidden words in comments, in strings that are sentences, and in Markdown outside of code. */
export function vocabularyViolations(sources: readonly Source[], files: readonly TextFile[]): Violation[] {
  return [
    ...sources.flatMap((source) => {
      const texts: { start: number; text: string }[] = source.comments.map(({ start, value }) => ({
        start,
        text: value,
      }));
      visit(source.program, {
        Literal: ({ value, start }) => {
          if (typeof value === 'string' && value.includes(' ')) texts.push({ start, text: value });
        },
        TemplateElement: ({ value, start }) => {
          if (value.raw.includes(' ')) texts.push({ start, text: value.raw });
        },
      });
      return texts.flatMap(({ start, text }) => found(source.path, text, (offset) => source.lineAt(start + offset)));
    }),
    ...files
      .filter(({ path }) => path.endsWith('.md') && path !== 'docs/glossary.md')
      .flatMap(({ path, text }) => {
        const prose = text.replace(/```[\s\S]*?```|`[^`\n]*`/g, (code) => code.replaceAll(/[^\n]/g, ' '));
        return found(path, prose, (offset) => prose.slice(0, offset).split('\n').length);
      }),
  ];
}

function found(file: string, text: string, lineAt: (offset: number) => number): Violation[] {
  return FORBIDDEN_WORDS.flatMap(({ pattern, instead }) =>
    [...text.matchAll(pattern)].map(({ 0: word, index }) => ({
      file,
      line: lineAt(index),
      problem: `the word ${word}`,
      remedy: `Write: ${instead}`,
    })),
  );
}

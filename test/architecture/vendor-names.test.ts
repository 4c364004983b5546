import { expect, test } from 'vitest';
import { readRepository, type TextFile } from './repository.ts';

/** Packages that work from the definition of a dataset. */
const GENERAL = /^packages\/(core|pager|flattener|writers|lake|runner)\/src\//;

/** Child tables and their columns, as the shipped datasets name them. */
const TABLES = /\b(certificates|indicators|interfaces|asset_tags|indicator_set|profiles)\b/;

const VENDOR = /qualys/i;

/** The names of the client's own types, and what a person is to be asked. */
const ALLOWED: readonly RegExp[] = [
  /\b(create)?QualysClient\b/g,
  /ask (your )?Qualys [a-z]+/gi,
  /status\.qualys\.com/g,
];

function namesIn({ path, text }: TextFile): string[] {
  if (!GENERAL.test(path)) return [];
  return text.split('\n').flatMap((line, index) => {
    const rest = ALLOWED.reduce((left, allowed) => left.replace(allowed, ''), line);
    return VENDOR.test(rest) || TABLES.test(rest) ? [`${path}:${index + 1}`] : [];
  });
}

const { files } = readRepository();

test('only the client and the datasets name the vendor, its datasets and their tables', () => {
  expect(files.flatMap(namesIn)).toEqual([]);
});

test('the rule notices a vendor, a dataset and a table', () => {
  const at = (text: string) => namesIn({ path: 'packages/lake/src/a.ts', text });
  expect(at("const name = 'qualys-fim';")).toEqual(['packages/lake/src/a.ts:1']);
  expect(at('import { QUALYS_EDR } from "x";')).toHaveLength(1);
  expect(at("if (table === 'certificates') return;")).toHaveLength(1);
  expect(at('const client: QualysClient = open();')).toEqual([]);
  expect(files.filter(({ path }) => GENERAL.test(path)).length).toBeGreaterThan(100);
});

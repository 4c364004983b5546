import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import { textListSql } from '@edrlake/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { localStore } from '../src/storage/store.ts';
import { newDirectory } from './opened-lakes.ts';

test('many paths are looked at as one by one: files, folders, missing ones and paths below a file', async () => {
  const directory = await newDirectory();
  await mkdir(directory, { recursive: true });
  const store = localStore(directory);
  const names = Array.from({ length: 100 }, (_, n) => `f${n}`);
  for (const [n, name] of names.entries()) {
    if (n % 10 === 3) await mkdir(join(directory, name), { recursive: true });
    else if (n % 10 !== 5) await writeFile(join(directory, name), 'x'.repeat(n));
  }
  const paths = [...names, 'f1/below', 'f3/missing'];
  const each = [];
  for (const path of paths) each.push(...(await store.look([path])));
  expect(await store.look(paths)).toEqual(each);
  expect(each.map((thing) => thing?.bytes ?? null).slice(0, 6)).toEqual([0, 1, 2, 0, 4, null]);
  expect(each.slice(-2)).toEqual([null, null]);
});

test('DuckDB reads a list of texts as it was written, with any characters', async () => {
  const instance = await DuckDBInstance.create();
  const connection = await instance.connect();
  const text = fc.string({ unit: fc.constantFrom('a', '|', "'", ',', ' ', '\\', '[', '\n', 'ü', '𝛼') });
  await fc.assert(
    fc.asyncProperty(fc.array(text, { maxLength: 8 }), async (texts) => {
      const [row] = (
        await connection.runAndReadAll(`SELECT ${textListSql(texts)}::VARCHAR[] AS l`)
      ).getRowObjectsJson();
      expect(row?.l).toEqual(texts);
    }),
  );
  connection.closeSync();
  instance.closeSync();
});

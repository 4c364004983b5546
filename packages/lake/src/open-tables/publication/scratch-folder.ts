import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quoteFile, quoteText } from '@edrlake/core';

/** Gives some work a folder of its own on this machine, and removes it. */
export async function withScratch<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'edrlake-publish-'));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** SQL of the rows in a file that has one JSON object a line. @param columns types in DuckDB by name */
export function ndjsonSql(path: string, columns: Readonly<Record<string, string>>): string {
  const types = Object.entries(columns).map(([name, type]) => `${quoteText(name)}: ${quoteText(type)}`);
  return `read_json(${quoteFile(path)}, format = 'newline_delimited', columns = {${types.join(', ')}})`;
}

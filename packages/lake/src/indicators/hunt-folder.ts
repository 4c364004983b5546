import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { EdrlakeError, errnoOf } from '@edrlake/core';
import type { Indicator } from './indicator.ts';
import type { IndicatorFault } from './list.ts';
import { readIndicators } from './read-indicators.ts';

/** What lists of a folder may be called. Their content decides how they are read. */
const EXTENSIONS: ReadonlySet<string> = new Set(['.txt', '.csv', '.tsv', '.json', '.xml', '.ioc']);

/** A longer file is no list that a person or a feed wrote. */
const MAX_BYTES = 64 * 1024 * 1024;

/** A part of a list that is no indicator, and the list. */
export interface ListFault extends IndicatorFault {
  readonly list: string;
}

/** The lists of a folder. */
export interface HuntFolder {
  /** By name. */
  readonly lists: readonly { readonly name: string; readonly indicators: readonly Indicator[] }[];
  /** Lists of which nothing could be read, such as a file that is being written. */
  readonly unread: readonly string[];
  readonly faults: readonly ListFault[];
}

/**
 * Reads the lists of a folder. One that cannot be read does not stop the others.
 * @returns null where there is no folder
 * @throws {EdrlakeError} `USAGE` where the folder cannot be listed
 */
export async function readHuntFolder(directory: string): Promise<HuntFolder | null> {
  let names: string[];
  try {
    names = await readdir(directory);
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return null;
    throw new EdrlakeError('USAGE', `the folder of lists ${directory} cannot be listed (${errnoOf(thrown)})`, {
      cause: thrown,
      hint: 'Expected a folder with lists of indicators: --hunts DIR.',
    });
  }
  const lists: { name: string; indicators: readonly Indicator[] }[] = [];
  const unread: string[] = [];
  const faults: ListFault[] = [];
  for (const name of names
    .filter((each) => !each.startsWith('.') && EXTENSIONS.has(extname(each).toLowerCase()))
    .sort()) {
    const { text, problem } = await listText(join(directory, name));
    const list = text === null ? null : readIndicators(text);
    const found = list?.faults ?? [{ place: 'the file', found: name, problem }];
    faults.push(...found.map((fault) => ({ list: name, ...fault })));
    if (list === null || (list.indicators.length === 0 && found.length > 0)) unread.push(name);
    else lists.push({ name, indicators: list.indicators });
  }
  return { lists, unread, faults };
}

async function listText(path: string): Promise<{ readonly text: string | null; readonly problem: string }> {
  try {
    const { size } = await stat(path);
    if (size > MAX_BYTES) return { text: null, problem: `expected at most ${MAX_BYTES} bytes, found ${size}` };
    return { text: await readFile(path, 'utf8'), problem: '' };
  } catch (thrown) {
    return { text: null, problem: `it cannot be read (${errnoOf(thrown)})` };
  }
}

import { EdrlakeError } from '@edrlake/core';
import { isRecord } from './json-record.ts';
import { type IndicatorFault, type IndicatorList, type ListBuilder, listBuilder } from './list.ts';
import { isMisp, readMisp } from './misp.ts';
import { readStix } from './stix.ts';

/** Headings of columns that hold indicators, in lower case without blanks, hyphens and underscores. */
const HEADINGS = new Set(
  `indicator indicators indicatorvalue ioc iocs value observable md5 sha1 sha256 hash ip ipaddress ipv4 ipv6 cidr domain
   hostname host fqdn url filename file filepath path`.split(/\s+/),
);

/**
 * Reads a list of indicators: text with one a line, CSV, a STIX 2 bundle, an export of MISP, OpenIOC, or a JSON list of
 * texts. What the list holds decides, not its name. Comments begin with `#`.
 * @example
 * const { indicators, faults } = readIndicators('44d88612fea8a8f36de82e1278abb02f\nevil[.]example\n');
 * console.log(indicators.map(({ kind, text }) => `${kind} ${text}`), faults);
 */
export function readIndicators(text: string): IndicatorList {
  const list = listBuilder();
  const format = readInto(text.replace(/^\uFEFF/, ''), list);
  return { format, indicators: list.indicators, faults: list.faults };
}

function readInto(text: string, list: ListBuilder): IndicatorList['format'] {
  const first = text.trimStart()[0] ?? '';
  if (first === '{' || /^\s*\[\s*["{\]]/.test(text)) return readJson(text, list);
  if (first === '<') {
    readOpenIoc(text, list);
    return 'openioc';
  }
  const lines = text.split(/\r\n|\n|\r/);
  const heading = lines.find((line) => line.trim() !== '' && !line.trimStart().startsWith('#'));
  const separator = [',', ';', '\t'].find((each) => heading?.includes(each));
  const isCsv =
    separator !== undefined && cellsOf(heading ?? '', separator).some((cell) => HEADINGS.has(headingOf(cell)));
  if (isCsv) readCsv(lines, separator, list);
  else readLines(lines, list);
  return isCsv ? 'csv' : 'text';
}

function readLines(lines: readonly string[], list: ListBuilder): void {
  for (const [position, line] of lines.entries()) {
    const value = line
      .replace(/(?:^|\s)#.*$/, '')
      .trim()
      .replaceAll(/^["']|["'],?$/g, '');
    if (value !== '') list.add(value, null, `line ${position + 1}`);
  }
}

function readCsv(lines: readonly string[], separator: string, list: ListBuilder): void {
  let columns: number[] | null = null;
  for (const [position, line] of lines.entries()) {
    if (line.trim() === '' || line.trimStart().startsWith('#')) continue;
    const cells = cellsOf(line, separator);
    if (columns === null) {
      columns = cells.flatMap((cell, at) => (HEADINGS.has(headingOf(cell)) ? [at] : []));
      continue;
    }
    const values = columns.map((at) => cells[at]?.trim() ?? '').filter((value) => value !== '');
    if (values.length === 0) list.fault(`line ${position + 1}`, line, 'no value in the columns to hunt');
    for (const value of values) list.add(value, null, `line ${position + 1}`);
  }
}

/** The cells of a line, by RFC 4180; a quoted cell with a line break in it is two lines here. */
function cellsOf(line: string, separator: string): string[] {
  const cell = new RegExp(`(?:^|${separator})(?:"((?:[^"]|"")*)"|([^${separator}]*))`, 'g');
  return [...line.matchAll(cell)].map(([, quoted, plain = '']) => quoted?.replaceAll('""', '"') ?? plain);
}

function headingOf(cell: string): string {
  return cell.trim().toLowerCase().replaceAll(/[ _-]/g, '');
}

function readJson(text: string, list: ListBuilder): IndicatorList['format'] {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (thrown) {
    list.fault('line 1', text.trimStart(), `no JSON: ${thrown instanceof Error ? thrown.message : String(thrown)}`);
    return 'json';
  }
  if (isRecord(document) && document.type === 'bundle') {
    readStix(document, list);
    return 'stix';
  }
  if (isMisp(document)) {
    readMisp(document, list);
    return 'misp';
  }
  if (Array.isArray(document)) {
    for (const [position, value] of document.entries()) {
      if (typeof value === 'string') list.add(value, null, `[${position}]`);
      else list.fault(`[${position}]`, JSON.stringify(value), 'no text');
    }
    return 'json';
  }
  list.fault('line 1', text.trimStart(), 'neither a STIX bundle, nor a MISP event, nor a list of texts');
  return 'json';
}

/** What the search terms of OpenIOC end with, and the kind of what they name. */
const OPENIOC_KINDS = [
  [/md5sum$/i, 'md5'],
  [/sha1sum$/i, 'sha1'],
  [/sha256sum$/i, 'sha256'],
  [/(?:filename|process\/name)$/i, 'file'],
  [/(?:fullpath|filepath|process\/path)$/i, 'path'],
  [/(?:remoteip|localip|ipv4address)$/i, 'ip'],
  [/(?:network\/dns|dnsentryitem\/host|recordname)$/i, 'domain'],
  [/(?:network\/uri|urlhistoryitem\/url)$/i, 'url'],
] as const;

const OPENIOC_ITEM =
  /<IndicatorItem\b[^>]*>\s*<Context\b[^>]*\bsearch="([^"]*)"[^>]*\/?>(?:\s*<\/Context>)?\s*<Content\b[^>]*>([^<]*)<\/Content>/g;

/** Reads the items of OpenIOC documents, each by itself. */
function readOpenIoc(text: string, list: ListBuilder): void {
  let count = 0;
  for (const found of text.matchAll(OPENIOC_ITEM)) {
    const [, search = '', content = ''] = found;
    const place = `line ${text.slice(0, found.index).split('\n').length}`;
    const kind = OPENIOC_KINDS.find(([end]) => end.test(search))?.[1];
    count += 1;
    if (kind === undefined) list.fault(place, content, `an item of ${search}`);
    else list.add(xmlText(content), kind, place);
  }
  if (count === 0) list.fault('line 1', text, 'XML without indicators of OpenIOC');
}

const ENTITIES: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
]);

function xmlText(text: string): string {
  return text.replaceAll(/&(\w+);/g, (whole, name: string) => ENTITIES.get(name) ?? whole);
}

/** Faults that are named one by one. */
const NAMED_FAULTS = 10;

/**
 * Refuses a list in which something is no indicator.
 * @param name of the list, for the message
 * @throws {EdrlakeError} `INDICATORS_INVALID` naming the places
 */
export function refuseFaults(name: string, faults: readonly IndicatorFault[]): void {
  if (faults.length === 0) return;
  const lines = faults.slice(0, NAMED_FAULTS).map(({ place, found, problem }) => `${place}: ${problem}: ${found}`);
  const more = faults.length > NAMED_FAULTS ? [`and ${faults.length - NAMED_FAULTS} more`] : [];
  throw new EdrlakeError(
    'INDICATORS_INVALID',
    `${name}: ${faults.length} not understood\n  ${[...lines, ...more].join('\n  ')}`,
    {
      context: { list: name, faults: faults.length },
      hint: 'Correct them, put host:, file:, domain: or event: before a value, or leave them out with --lenient.',
    },
  );
}

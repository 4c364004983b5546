import { EdrlakeError, isoInstant, writeText } from '@edrlake/core';
import {
  type HuntMatch,
  type HuntReport,
  type QueryColumn,
  type QueryResult,
  writeCsv,
  writeNdjson,
} from '@edrlake/lake';
import type { QueryFormat } from '../args/options.ts';
import { coverageDocument, findingDocument } from '../investigate/hunt-text.ts';

/** Result formats of a hunt. */
export type HuntFormat = Exclude<QueryFormat, 'arrow'>;

const COLUMNS: readonly QueryColumn[] = [
  'indicator',
  'kind',
  'event_time',
  'host',
  'event_id',
  'event_type',
  'agent_id',
  'table',
  'column',
  'value',
].map((name) => ({ name, type: 'VARCHAR' }));

/** Writes the matches of a hunt; as JSON, one document with what each indicator and an empty answer mean. */
export async function writeHunt(
  out: NodeJS.WritableStream,
  format: HuntFormat,
  matches: AsyncIterable<readonly HuntMatch[]>,
  report: HuntReport,
): Promise<void> {
  const result = resultOf(matches, report);
  if (format === 'csv') await writeCsv(out, result);
  else if (format === 'ndjson') await writeNdjson(out, result);
  else if (format === 'json') await writeDocument(out, matches, report);
  else throw new EdrlakeError('BUG', `a hunt is not written as ${format} here`);
}

function resultOf(matches: AsyncIterable<readonly HuntMatch[]>, { findings }: HuntReport): QueryResult {
  async function* rows() {
    for await (const some of matches) yield some.map((match) => valuesOf(match, findings));
  }
  return { columns: COLUMNS, rows: rows() };
}

function valuesOf(match: HuntMatch, findings: HuntReport['findings']) {
  const { indicator, eventMs, host, eventId, eventType, agentId, table, column, value } = match;
  const { text = '', kind = null } = findings[indicator]?.indicator ?? {};
  return [text, kind, isoInstant(eventMs), host, eventId, eventType, agentId, table, column, value];
}

async function writeDocument(
  out: NodeJS.WritableStream,
  matches: AsyncIterable<readonly HuntMatch[]>,
  report: HuntReport,
): Promise<void> {
  const { version, findings, files, filesRead } = report;
  const head = {
    version,
    coverage: coverageDocument(report),
    files,
    filesRead,
    indicators: findings.map(findingDocument),
  };
  await writeText(out, `${JSON.stringify(head).slice(0, -1)},"matches":[`);
  let before = '';
  for await (const some of matches) {
    const texts = some.map((match) => {
      const values = valuesOf(match, findings);
      return JSON.stringify(Object.fromEntries(COLUMNS.map(({ name }, at) => [name, values[at]])));
    });
    await writeText(out, `${before}${texts.join(',')}`);
    before = ',';
  }
  await writeText(out, ']}\n');
}

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { QUALYS_EDR } from '@edrlake/datasets';
import { describe, expect, it } from 'vitest';
import { type GoldenRow, goldenCases } from '../fixtures/golden.ts';
import { inFreshDirectory, inPlainDuckDb, runCommand } from './command.ts';
import { parquetOf } from './lake-truth.ts';

/** A gateway with one answer: the payload's records. */
async function serve(records: readonly string[]): Promise<{ url: string; close(): Promise<void> }> {
  const server: Server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://gateway').pathname;
    if (path === '/auth') response.writeHead(201, { 'content-type': 'text/plain' }).end('a.token.text');
    else if (path === '/ioc/events/count') response.end(JSON.stringify({ count: records.length }));
    else if (path === '/ioc/events') response.end(`[${records.join(',\n')}]`);
    else response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

/** The rows of a table in the form of the golden files: ISO times, nested JSON, no NULLs. */
async function storedRows(lake: string, table: string, order: string): Promise<GoldenRow[]> {
  const files = await inPlainDuckDb(`select count(*) from glob('${lake}/${table}/*/*.parquet')`);
  if (files[0]?.[0] === '0') return [];
  const columns = await inPlainDuckDb(`select column_name, column_type from (describe from ${parquetOf(lake, table)})`);
  const texts = columns.map(([name, type]) =>
    // In any zone of the session.
    type === 'TIMESTAMP WITH TIME ZONE'
      ? `strftime(make_timestamp(epoch_us("${name}")), '%Y-%m-%dT%H:%M:%S.%gZ')`
      : `"${name}"::VARCHAR`,
  );
  const rows = await inPlainDuckDb(`select ${texts.join(', ')} from ${parquetOf(lake, table)} order by ${order}`);
  return rows.map((row) => {
    const cells = columns.map(([name, type], position) => {
      const kind = isJson(table, name) ? 'JSON' : type;
      return [name, storedValue(kind, row[position] ?? null)] as const;
    });
    return Object.fromEntries(cells.filter(([, value]) => value !== null));
  });
}

/** JSON is text in the files. */
function isJson(table: string, column: string | null | undefined): boolean {
  const columns = QUALYS_EDR.tables.find(({ name }) => name === table)?.columns ?? [];
  return columns.some(({ name, type }) => name === column && type === 'json');
}

function storedValue(type: string | null | undefined, text: string | null): unknown {
  if (text === null) return null;
  if (type === 'JSON') return JSON.parse(text);
  if (type === 'BOOLEAN') return text === 'true';
  return type === 'INTEGER' || type === 'BIGINT' ? Number(text) : text;
}

const byText = (rows: readonly GoldenRow[]) => rows.map((row) => JSON.stringify(row, Object.keys(row).sort())).sort();

describe('the sample payloads, over HTTP through the whole command', () => {
  it.each(goldenCases())('$name comes out as exactly the golden rows', async ({ records, tables }) => {
    const gateway = await serve(records);
    try {
      await inFreshDirectory(async (directory) => {
        const lake = join(directory, 'lake');
        const days = ['--from', '2019-06-01', '--to', '2020-08-31'];
        const ended = await runCommand(['backfill', ...days, '--base-url', gateway.url, '--lake', lake]);
        expect(ended).toMatchObject({ exitCode: 0 });
        expect(Object.keys(tables)).toContain('events');
        for (const [table, golden] of Object.entries(tables)) {
          expect(byText(await storedRows(lake, table, 'all')), table).toEqual(byText(golden));
        }
      });
    } finally {
      await gateway.close();
    }
  });
});

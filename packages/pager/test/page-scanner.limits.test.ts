import { expect, test } from 'vitest';
import { fieldTable } from '../src/scan/field-table.ts';
import { MAX_RECORD_BYTES, scanPage } from '../src/scan/page-scanner.ts';

const SHAPE = { members: [{ name: 'id', kind: 'text', column: 'id' }], required: ['id'] } as const;

/** The body in chunks of a size. */
async function* inChunks(body: Buffer, chunkBytes: number) {
  for (let from = 0; from < body.length; from += chunkBytes) yield body.subarray(from, from + chunkBytes);
}

async function scanned(body: Buffer, { chunkBytes = 65_536, maxRecordBytes = MAX_RECORD_BYTES } = {}) {
  const known = fieldTable(SHAPE, ['id']);
  let longest = 0;
  const write = async (bytes: Uint8Array) => {
    for (const line of Buffer.from(bytes).toString('latin1').split('\n')) longest = Math.max(longest, line.length);
  };
  return { ...(await scanPage(inChunks(body, chunkBytes), { known, maxRecordBytes, write })), longest };
}

test('a large record within the limit is accepted, with any bytes after it', async () => {
  for (const megabytes of [5, 8, 9, 12, 14]) {
    const large = `{"id":"${'x'.repeat(megabytes * 1_048_576)}"}`;
    const small = `,{"id":"${'y'.repeat(1_000)}"}`.repeat(12_000);
    expect((await scanned(Buffer.from(`[${large}${small}]`))).recordCount).toBe(12_001);
  }
});

test.each([
  ['plain', (fill: number) => `{"id":"${'x'.repeat(fill)}"}`, 9],
  ['irregular', (fill: number) => `{"no":"${'x'.repeat(fill)}"}`, 9 + 4 + '{"#odd":""}'.length],
  ['with extra', (fill: number) => `{"id":"1","x":"${'x'.repeat(fill)}"}`, 0],
])('the line of a record that is %s may be as long as the limit, and no longer', async (which, recordOf, around) => {
  const limit = 300_000;
  // Members that no column takes are in the line twice, each with its name and quotes.
  const fill = which === 'with extra' ? (limit - '{"id":"1","x":"","#extra":{"x":""}}'.length - 1) / 2 : limit - around;
  const body = (length: number) => Buffer.from(`[${recordOf(length)},{"id":"2"}]`);
  for (const chunkBytes of [1_000, 300_000, 1_000_000]) {
    const { longest } = await scanned(body(Math.floor(fill)), { chunkBytes, maxRecordBytes: limit });
    expect(limit - longest).toBeLessThan(2);
    const over = await scanned(body(Math.floor(fill) + 1), { chunkBytes, maxRecordBytes: limit });
    // Bytes that are in a line twice are in an irregular one once.
    const isTaken = which === 'with extra';
    expect(over).toMatchObject({ recordCount: 2, brokenRecords: isTaken ? 0 : 1, ids: [isTaken ? '1' : null, '2'] });
    expect(over.longest).toBeLessThanOrEqual(limit);
  }
});

test('time grows with the bytes, not with their square', async () => {
  const names = Array.from({ length: 60_000 }, (_, n) => `"unknown${n}":${n}`);
  const body = Buffer.from(`[{"id":"1",${names.join(',')}}]`);
  const started = process.cpuUsage();
  expect((await scanned(body)).recordCount).toBe(1);
  expect((await scanned(Buffer.from(`[{"id":"${'x'.repeat(120_000)}"}]`), { chunkBytes: 1 })).recordCount).toBe(1);
  expect(process.cpuUsage(started).user / 1e6, 'seconds').toBeLessThan(4);
});

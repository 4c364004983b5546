import { expect, it } from 'vitest';
import { fieldTable } from '../src/scan/field-table.ts';
import { scanPage } from '../src/scan/page-scanner.ts';

async function scan(text: string, recordsBefore?: number): Promise<number> {
  const body = (async function* () {
    yield Buffer.from(text);
  })();
  const known = fieldTable(null, ['id']);
  const write = async () => undefined;
  return (await scanPage(body, { known, write, ...(recordsBefore !== undefined && { recordsBefore }) })).recordCount;
}

it.each([
  ['a total', '{"data":[],"total":400}'],
  ['a total before it', '{"total":400,"data":[]}'],
  ['a total as text', '{"items":[],"totalCount":"400"}'],
  ['a count', '{"events":[],"count":400}'],
  ['that more follows', '{"events":[],"hasMore":true}'],
  ['that it is not the last page', '{"content":[],"last":false}'],
  ['a total around it', '{"content":[],"page":{"totalElements":400}}'],
  ['a total of a search engine', '{"hits":{"total":{"value":400,"relation":"eq"},"hits":[]}}'],
  ['a total of an older search engine', '{"hits":{"total":400,"hits":[]}}'],
])('an empty list beside %s is a broken answer', async (_, text) => {
  await expect(scan(text, 300)).rejects.toMatchObject({ code: 'BODY_BROKEN', disposition: 'retry' });
});

it.each([
  ['of nothing', '{"data":[],"total":0,"hasMore":false}', 0],
  ['behind the last page', '{"data":[],"total":400,"count":0,"last":true}', 400],
  ['of a page whose place is unknown', '{"data":[],"total":400}', undefined],
  ['with other numbers', '{"data":[],"took":400,"pageSize":1000}', 0],
])('an empty list %s is an empty page', async (_, text, before) => {
  expect(await scan(text, before)).toBe(0);
});

it('a total says nothing about a list with records', async () => {
  expect(await scan('{"data":[{"id":"a"}],"total":400,"hasMore":true}', 0)).toBe(1);
});

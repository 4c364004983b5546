import { QUALYS_EDR } from '@edrlake/datasets';
import { expect, test } from 'vitest';
import { completionsOf } from '../src/query/sql-completion.ts';

const offered = (line: string) => completionsOf(line, QUALYS_EDR.tables)[0];

test.each<[string, string[], string]>([
  ['.s', ['.schema'], '.s'],
  ['.schema cer', ['certificates', 'certificates_proven'], 'cer'],
  ['select 1 from eve', ['events', 'events_proven'], 'eve'],
  ['select * from certificates where iss', ['issued_to', 'issuer'], 'iss'],
  ['select c.expi', ['expiry_time'], 'expi'],
  ['SELECT FILE_SH', ['file_sha256'], 'FILE_SH'],
  ['sel', ['select'], 'sel'],
  ['select xyz', [], 'xyz'],
])('after %j Tab offers %j in place of %j', (line, names, word) => {
  expect(completionsOf(line, QUALYS_EDR.tables)).toEqual([names, word]);
});

test('a line that names no table is offered the columns of all, and a table only where one can be', () => {
  expect(offered('select ')).toEqual(
    expect.arrayContaining(['event_id', 'issuer', 'mac_address', 'events', 'distinct']),
  );
  expect(offered('select * from ')).toContain('coverage');
  expect(offered('select * from ')).not.toContain('event_id');
});

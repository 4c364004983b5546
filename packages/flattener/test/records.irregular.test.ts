import { QUALYS_EDR } from '@edrlake/datasets';
import { flattenRecords } from '@edrlake/flattener/in-process';
import { expect, test } from 'vitest';

const TIME = '"dateTime":"2020-08-17T04:15:06.000+0000"';

/** The columns of one table that are not NULL, of a single record. */
function rowsOf(table: string, ...records: readonly string[]): Record<string, unknown>[] {
  const flat = flattenRecords(QUALYS_EDR, records.join('\n'), { windowId: 'w1', ingestDay: '2026-11-21' });
  return (flat[table]?.toArray() ?? []).map((row) =>
    Object.fromEntries(Object.entries(row.toJSON()).filter(([, value]) => value !== null)),
  );
}

const eventOf = (members: string) => rowsOf('events', `{"id":"e1",${TIME},${members}}`)[0] ?? {};

test.each([
  ['"score":"7"', 'score', 7],
  ['"score":7.0', 'score', 7],
  ['"actor":{"processId":9007199254740993}', 'actor_process_id', 9007199254740993n],
  ['"file":{"size":"9223372036854775807"}', 'file_size', 9223372036854775807n],
  ['"actor":{"elevated":"TRUE"}', 'actor_elevated', true],
  ['"eventId":"e1"', 'event_id', 'e1'],
  ['"asset":{"customerId":"c"}', 'customer_id', 'c'],
  ['"action":["CREATED"]', 'action', 'CREATED'],
  ['"action":["A","B"]', 'action', '["A","B"]'],
  ['"action":12345678901234567890', 'action', '12345678901234567890'],
  ['"file":{"extension":".dll"}', 'file_extension', 'dll'],
  ['"file":{"fullPath":"C:\\\\W","path":"C:\\\\W","fileName":"a.dll"}', 'file_full_path', 'C:\\W\\a.dll'],
  ['"network":{"localIP":"10.0.0.1","port":53}', 'network_local_ip', '10.0.0.1'],
  ['"network":{"localIP":"10.0.0.1","port":53}', 'network', '{"localIP":"10.0.0.1","port":53}'],
])('%s is taken by %s', (members, column, value) => {
  const event = eventOf(members);
  expect(event[column]).toEqual(value);
  expect(event).not.toHaveProperty('extra');
});

test.each([
  ['2020-08-17T04:15:06.123+0000', '2020-08-17T04:15:06.123Z'],
  ['2020-08-17T04:15:06.123456789Z', '2020-08-17T04:15:06.123Z'],
  ['2020-08-17T06:15:06+02:00', '2020-08-17T04:15:06.000Z'],
  ['2020-08-16T23:45:06-0430', '2020-08-17T04:15:06.000Z'],
  ['2020-08-17 04:15:06', '2020-08-17T04:15:06.000Z'],
  ['1597637706123', '2020-08-17T04:15:06.123Z'],
  ['1597637706', '2020-08-17T04:15:06.000Z'],
])('the time %s is %s', (delivered, instant) => {
  const event = eventOf(`"eventProcessedTime":"${delivered}"`);
  expect(new Date(Number(event.processed_time)).toISOString()).toBe(instant);
});

test.each([
  ['"action":" "', 'action'],
  ['"action":[""]', 'action'],
  ['"action":null', 'action'],
  ['"score":""', 'score'],
  ['"actor":{"createDate":"1970-01-01T00:00:00.000+0000"}', 'actor_created_time'],
  ['"network":{}', 'network'],
  ['"file":{}', 'extra'],
  ['"indicator2":""', 'extra'],
])('%s says nothing', (members, column) => {
  const event = eventOf(members);
  expect(event).not.toHaveProperty(column);
  expect(event).not.toHaveProperty('extra');
});

test.each([
  ['"amsi":{"a":null,"b":1}', '{"amsi":{"a":null,"b":1}}'],
  ['"file":{"newThing":[1]},"actor":{"type":"PROCESS"}', '{"actor":{"type":"PROCESS"},"file":{"newThing":[1]}}'],
  ['"score":"high"', '{"score":"high"}'],
  ['"score":1.5', '{"score":1.5}'],
  ['"score":2147483648', '{"score":2147483648}'],
  ['"file":"C:\\\\a"', '{"file":"C:\\\\a"}'],
  ['"file":{"certificates":"none"}', '{"file":{"certificates":"none"}}'],
  ['"file":{"createdDate":"2020-02-30T00:00:00.000+0000"}', '{"file":{"createdDate":"2020-02-30T00:00:00.000+0000"}}'],
  ['"customerId":"a","asset":{"customerId":"b"}', '{"asset":{"customerId":"b"}}'],
  ['"eventId":"e2"', '{"eventId":"e2"}'],
  ['"big":123456789012345678901234567890', '{"big":123456789012345678901234567890}'],
])('%s keeps in extra what no column takes', (members, extra) => {
  expect(eventOf(members).extra).toBe(extra);
});

test('child rows keep the position of their element, beside elements of any kind', () => {
  const rows = rowsOf(
    'certificates',
    `{"id":"e1",${TIME},"file":{"certificates":[null,{"subject":"s","new":1},"odd",{}]}}`,
  );
  expect(rows.map(({ position, subject, extra }) => [position, subject, extra])).toEqual([
    [1, 's', '{"new":1}'],
    [2, undefined, '"odd"'],
    [3, undefined, undefined],
  ]);
  expect(rows.every((row) => row.event_id === 'e1')).toBe(true);
});

test('both indicator arrays become rows that say where they came from', () => {
  const rows = rowsOf('indicators', `{"id":"e1",${TIME},"indicator1":[{"score":"9"}],"indicator2":[{"score":3}]}`);
  expect(rows.map(({ indicator_set, position, score }) => [indicator_set, position, score])).toEqual([
    ['indicator1', 0, 9],
    ['indicator2', 0, 3],
  ]);
});

test('every record is an event or a reject with its reason', () => {
  const records = [
    '{"id":null}',
    '{"id":"a"}',
    '{"id":"b","dateTime":"soon"}',
    '7',
    '{broken',
    `{"eventId":"c",${TIME}}`,
  ];
  const rejects = rowsOf('rejects', ...records);
  expect(rejects.map(({ reason, path, event_id, record }) => [reason, path, event_id, record])).toEqual([
    ['no id', 'id', undefined, '{"id":null}'],
    ['no event time', 'dateTime', 'a', '{"id":"a"}'],
    ['unreadable event time', 'dateTime', 'b', '{"id":"b","dateTime":"soon"}'],
    ['not an object', undefined, undefined, '7'],
    ['not an object', undefined, undefined, '"{broken"'],
  ]);
  expect(rowsOf('events', ...records).map((event) => event.event_id)).toEqual(['c']);
});

test('a page as one JSON array gives the same rows as its lines', () => {
  const records = [`{"id":"a",${TIME}}`, `{"id":"b",${TIME}}`];
  expect(rowsOf('events', `[${records.join(',')}]`)).toEqual(rowsOf('events', ...records));
});

test('an epoch in seconds is read as a number too', () => {
  const [event] = rowsOf('events', '{"id":"e1","dateTime":1597637706}');
  expect(new Date(Number(event?.event_time)).toISOString()).toBe('2020-08-17T04:15:06.000Z');
});

test('a certificate may be valid until the year 9999, an event cannot be of that year', () => {
  const forever = '9999-12-31T23:59:59.000+0000';
  const certificate = `"file":{"certificates":[{"expiryDate":"${forever}"}]}`;
  const [row] = rowsOf('certificates', `{"id":"e1",${TIME},${certificate}}`);
  expect(new Date(Number(row?.expiry_time)).toISOString()).toBe('9999-12-31T23:59:59.000Z');
  expect(rowsOf('rejects', `{"id":"e1","dateTime":"${forever}"}`)[0]?.reason).toBe('unreadable event time');
});

test.each([
  ['certificates', '"file":{"certificates":{"subject":"x"}}', { subject: 'x' }],
  ['indicators', '"indicator2":{"verdict":"KNOWN","new":1}', { verdict: 'KNOWN', extra: '{"new":1}' }],
  ['interfaces', '"asset":{"interfaces":{"ipAddress":"10.0.0.1"}}', { ip_address: '10.0.0.1' }],
  ['asset_tags', '"asset":{"tags":{"name":"x"}}', { tag_name: 'x' }],
])('a single object where a list of %s belongs is its only element', (table, members, row) => {
  expect(rowsOf(table, `{"id":"e1",${TIME},${members}}`)).toMatchObject([{ position: 0, ...row }]);
  expect(rowsOf('events', `{"id":"e1",${TIME},${members}}`)[0]).not.toHaveProperty('extra');
});

test('a record in a wrapper is that record, and the wrapper around it goes to extra', () => {
  const record = `{"id":"e1",${TIME},"new":1}`;
  expect(rowsOf('events', `{"sortValues":[7],"data":${record},"rank":null}`)).toMatchObject([
    { event_id: 'e1', extra: '{"new":1,"sortValues":[7]}' },
  ]);
  expect(rowsOf('events', `{"data":${record}}`)).toEqual(rowsOf('events', record));
  expect(rowsOf('rejects', `{"id":"w","data":${record}}`)[0]).toMatchObject({ reason: 'no event time', event_id: 'w' });
});

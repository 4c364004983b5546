import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fieldTable } from '../src/scan/field-table.ts';
import { pageBuffers, scanPage } from '../src/scan/page-scanner.ts';

const ID_FIELDS = ['id', 'eventId'];

async function scanned(chunks: readonly Uint8Array[], idFields = ID_FIELDS, maxRecordBytes?: number) {
  const written: Buffer[] = [];
  async function* body() {
    yield* chunks;
  }
  const result = await scanPage(body(), {
    known: fieldTable(null, idFields),
    write: async (bytes) => {
      written.push(Buffer.from(bytes));
    },
    ...(maxRecordBytes === undefined ? {} : { maxRecordBytes }),
  });
  return { ...result, text: Buffer.concat(written).toString('utf8') };
}

/** Divides at arbitrary places, also inside characters, escapes and literals. */
function cut(bytes: Buffer, places: readonly number[]): Uint8Array[] {
  const cuts = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...cuts].map((from, i) => bytes.subarray(from, cuts[i] ?? bytes.length));
}

const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 20 }),
  fc.constantFrom(
    'C:\\WINDOWS\\System32\\',
    '"quoted"',
    'a\nb\r\t',
    '',
    ' ',
    '\u0000',
    '😀',
    'é',
    '[{"]}',
    '\ud83d\ude00',
  ),
);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    text,
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('any'), { maxLength: 4 }),
    fc.dictionary(text, tie('any'), { maxKeys: 4, noNullPrototype: true }),
  ),
})).any;
const record = fc
  .tuple(
    fc.dictionary(text, value, { maxKeys: 6, noNullPrototype: true }),
    fc.option(fc.oneof(text, fc.integer(), fc.constant(null), fc.constant(true), fc.constant({ id: 'inner' }))),
    fc.option(fc.oneof(text, fc.integer())),
  )
  .map(([rest, id, eventId]) => ({
    ...(eventId === null ? {} : { eventId }),
    ...rest,
    ...(id === undefined ? {} : { id }),
  }));

function idOf(fields: Record<string, unknown>): string | null {
  for (const name of ID_FIELDS) {
    const found = Object.hasOwn(fields, name) ? fields[name] : null;
    if (typeof found === 'number' || typeof found === 'boolean') return JSON.stringify(found);
    if (typeof found === 'string' && found.trim() !== '') return found;
  }
  return null;
}

/** Every character that is not plain ASCII as an escape. */
function escapedJson(json: string): string {
  return json.replace(/[^ -~\n\t]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

test('any array of objects, with any white space and chunks, is read record by record', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(record, { maxLength: 8 }),
      fc.constantFrom(0, 1, 2, '\t'),
      fc.boolean(),
      fc.array(fc.nat(), { maxLength: 12 }),
      fc.constantFrom('\n', '\r\n'),
      async (records, indent, escaped, places, lineBreak) => {
        const plain = JSON.stringify(records, null, indent).replaceAll('\n', lineBreak);
        const body = Buffer.from(escaped ? escapedJson(plain.replaceAll('\r\n', '\n')) : plain);
        const result = await scanned(cut(body, places));
        const lines = result.text.split('\n');
        expect(lines.pop()).toBe('');
        expect(lines.map((line) => JSON.parse(line))).toEqual(JSON.parse(body.toString()));
        expect(result.text).not.toContain('\r');
        expect(result.recordCount).toBe(records.length);
        expect(result.ids).toEqual(records.map(idOf));
        expect(result.writtenBytes).toBe(Buffer.byteLength(result.text));
        expect(result.crc32).toBe(crc32(result.text).toString(16).padStart(8, '0'));
      },
    ),
    { numRuns: 400 },
  );
});

test('byte by byte has the same result as at once', async () => {
  const body = Buffer.from(
    '[ {"id":"\\u0041\\ud83d\\ude00","n":-1.5e+3,"ok":[true,false,null,{}]} ,\n{"eventId":12,"p":"C:\\\\x"}]\n',
  );
  const whole = await scanned([body]);
  const bytes = await scanned([...body].map((byte) => Uint8Array.of(byte)));
  expect(bytes).toEqual(whole);
  expect(whole.ids).toEqual(['A😀', '12']);
  expect(whole.text.split('\n')[1]).toBe('{"eventId":12,"p":"C:\\\\x"}');
});

test('pages that share buffers, at the same time and after broken ones, are read as each is alone', async () => {
  const page = fc.tuple(fc.array(record, { maxLength: 4 }), fc.array(fc.nat(), { maxLength: 3 }), fc.boolean());
  await fc.assert(
    fc.asyncProperty(fc.array(page, { minLength: 2, maxLength: 6 }), async (pages) => {
      const spare = pageBuffers();
      const read = async (chunks: readonly Uint8Array[], shared: object) => {
        const written: Buffer[] = [];
        async function* body() {
          for (const chunk of chunks) {
            // Gives the other scans their turn.
            await Promise.resolve();
            yield chunk;
          }
        }
        const write = async (bytes: Uint8Array) => {
          await Promise.resolve();
          written.push(Buffer.from(bytes));
        };
        const known = fieldTable(null, ID_FIELDS);
        const result = await scanPage(body(), { known, write, ...shared }).catch((thrown: unknown) => String(thrown));
        return { result, text: Buffer.concat(written).toString() };
      };
      const bodies = pages.map(([records, places, isWhole]) => {
        const body = Buffer.from(JSON.stringify(records));
        return cut(isWhole ? body : body.subarray(0, -1), places);
      });
      const alone = [];
      for (const body of bodies) alone.push(await read(body, {}));
      expect(await Promise.all(bodies.map((body) => read(body, { spare })))).toEqual(alone);
      for (const [n, body] of bodies.entries()) expect(await read(body, { spare })).toEqual(alone[n]);
    }),
    { numRuns: 100 },
  );
});

test('every proper prefix of an array is broken, and so is every array with one more byte', async () => {
  const body = Buffer.from('[{"id":"a\\u00e9","n":[1,{"x":null}],"t":true},{"id":2}]');
  for (let length = 1; length < body.length; length++) {
    await expect(scanned([body.subarray(0, length)])).rejects.toMatchObject({
      code: 'BODY_BROKEN',
      disposition: 'retry',
    });
  }
  for (const byte of '[]{},:"1x') {
    await expect(scanned([body, Buffer.from(byte)])).rejects.toMatchObject({ code: 'BODY_BROKEN' });
  }
});

test('text that JSON.parse refuses is refused, as a whole or as the one damaged record', async () => {
  const first = '{"id":"a\\u00e9","n":[1.5,-2e3,{"x":null}],"t":true}';
  const body = `[${first},{"id":2}]`;
  let spoilt = 0;
  await fc.assert(
    fc.asyncProperty(fc.nat(body.length - 1), fc.constantFrom(...'[]{},:"\\0-.eE+tu x\u0001'), async (place, byte) => {
      const changed = body.slice(0, place) + byte + body.slice(place + 1);
      let parsed: unknown = null;
      try {
        parsed = JSON.parse(changed);
      } catch {
        const result = await scanned([Buffer.from(changed)]).catch((thrown: unknown) => thrown);
        if (result instanceof Error) {
          expect(result).toMatchObject({ code: 'BODY_BROKEN' });
          return;
        }
        expect(result).toMatchObject({ recordCount: 2, brokenRecords: 1 });
        const { text } = result as { text: string };
        if (place > first.length) expect(text.startsWith(`${first}\n`)).toBe(true);
        else expect(text.endsWith('\n{"id":2}\n')).toBe(true);
        spoilt++;
        return;
      }
      if (Array.isArray(parsed)) {
        expect((await scanned([Buffer.from(changed)])).recordCount).toBe(parsed.length);
      } else {
        await expect(scanned([Buffer.from(changed)])).rejects.toMatchObject({ code: 'BODY_BROKEN' });
      }
    }),
    { numRuns: 1000 },
  );
  expect(spoilt).toBeGreaterThan(50);
});

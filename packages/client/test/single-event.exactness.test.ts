import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutSingleEvent } from '../src/qualys/single-event.ts';
import { connect, failureOf, json, NEVER, startGateway } from './gateway.ts';

const EVENT =
  '{"id": "RTF_1", "rowId":9007199254740993, "x":1.10, "s":"}],{\\"data\\":\\u00e9\\\\", "data":[{"a":[]}]}';

describe('one event', () => {
  it.each([
    EVENT,
    ` \n${EVENT}\r\n`,
    `[${EVENT}]`,
    `[ ${EVENT} ]`,
    `{"data":${EVENT}}`,
    `{"data":[${EVENT}]}`,
    `[{"data": ${EVENT} }]`,
    `{"status":"ok {\\"data\\":","list":[1,{"data":2}],"data" : ${EVENT} ,"more":{"data":3}}`,
  ])('is cut out of %s without a change', (answer) => {
    expect(cutSingleEvent(answer)).toBe(EVENT);
  });

  it.each(['[]', '{}', 'null', '5', '"x"', '{"data":null}', '{"data":[]}', '[{},{}]', `[${EVENT},${EVENT}]`, '[[5]]'])(
    'is not in %s',
    (answer) => {
      expect(cutSingleEvent(answer)).toBeNull();
    },
  );

  it('is found in any wrapper, unchanged', () => {
    const event = fc.dictionary(fc.string(), fc.jsonValue(), { minKeys: 1 }).map((fields) => ({ ...fields, id: 'x' }));
    const wrapper = fc.dictionary(
      fc.string().filter((key) => !['id', 'eventId', 'dateTime'].includes(key)),
      fc.jsonValue(),
    );
    fc.assert(
      fc.property(event, wrapper, fc.constantFrom(undefined, 1, '\t'), (fields, around, indent) => {
        const text = JSON.stringify(fields);
        expect(cutSingleEvent(`[${text}]`)).toBe(text);
        const marker = '"\u0000here"';
        const wrapped = JSON.stringify({ ...around, data: '\u0000here', after: around }, null, indent);
        expect(cutSingleEvent(wrapped.replace(JSON.stringify('\u0000here'), () => text))).toBe(text);
        expect(marker).not.toBe(text);
      }),
    );
  });

  it('comes through the client with all digits of 64-bit numbers', async () => {
    const gateway = await startGateway({ data: [json(`[${EVENT}]`)] });
    expect(await connect(gateway.url).client.eventDetail('a', 'RTF_1', {}, NEVER)).toBe(EVENT);
  });

  it.each(['[]', '{"data":null}'])('that is missing is NOT_FOUND: %s', async (body) => {
    const gateway = await startGateway({ data: [json(body)] });
    const error = await failureOf(connect(gateway.url).client.eventDetail('a', 'RTF_1', {}, NEVER));
    expect(error.code).toBe('NOT_FOUND');
    expect(gateway.data()).toHaveLength(1);
  });

  it('is not missing where the body is', async () => {
    const gateway = await startGateway({ data: [json(''), json(EVENT)] });
    expect(await connect(gateway.url).client.eventDetail('a', 'RTF_1', {}, NEVER)).toBe(EVENT);
  });
});

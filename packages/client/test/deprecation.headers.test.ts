import { deprecationText } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { readDeprecation } from '../src/http/deprecation.ts';

const PATH = '/ioc/events';

describe('the end of an endpoint', () => {
  it.each([
    [{ deprecation: '@1767225600', sunset: 'Sun, 31 Jan 2027 23:59:59 GMT' }, '2026-01-01', '2027-01-31'],
    [{ deprecation: 'Thu, 01 Jan 2026 00:00:00 GMT' }, '2026-01-01', null],
    [{ deprecation: 'true', sunset: ['Sun, 31 Jan 2027 23:59:59 GMT'] }, null, '2027-01-31'],
    [{ sunset: 'soon' }, null, null],
    [{ deprecation: '1' }, null, null],
  ])('is read from %j', (headers, deprecated, sunset) => {
    const found = readDeprecation(headers, PATH);
    expect(found?.path).toBe(PATH);
    expect([found?.deprecatedAt?.slice(0, 10) ?? null, found?.sunsetAt?.slice(0, 10) ?? null]).toEqual([
      deprecated,
      sunset,
    ]);
  });

  it.each([[{}], [{ deprecation: '' }], [{ deprecation: '?0' }], [{ deprecation: 'false' }]])(
    'is not in %j',
    (headers) => {
      expect(readDeprecation(headers, PATH)).toBeNull();
    },
  );

  it('leaves out the ids of one event', () => {
    const paths = ['/ioc/events/agent/event', '/ioc/events/count'].map(
      (path) => readDeprecation({ sunset: 'x' }, path)?.path,
    );
    expect(paths).toEqual(['/ioc/events/…', '/ioc/events/count']);
  });

  it('is a sentence', () => {
    const end = { path: PATH, deprecatedAt: '2026-01-01T00:00:00.000Z', sunsetAt: '2027-01-31T23:59:59.000Z' };
    expect(deprecationText(end)).toBe('/ioc/events is deprecated as of 2026-01-01 and may end on 2027-01-31');
    expect(deprecationText({ ...end, deprecatedAt: null, sunsetAt: null })).toBe('/ioc/events is deprecated');
  });
});

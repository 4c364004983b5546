import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import { bytesText, countText, durationText, nounText } from '../src/quantities.ts';

describe('a length of time', () => {
  it.each([
    [0, '0 ms'],
    [850, '850 ms'],
    [12_340, '12.3 s'],
    [59_960, '1 min'],
    [252_000, '4 min 12 s'],
    [7_500_000, '2 h 5 min'],
    [86_400_000, '1 d'],
    [273_600_000, '3 d 4 h'],
    [30 * 86_400_000 + 3_600_000, '30 d'],
    [2_000 * 86_400_000, '2,000 d'],
  ])('of %i ms is %s', (ms, text) => {
    expect(durationText(ms)).toBe(text);
  });
});

test('bytes are in powers of 1024, with a tenth below 100', () => {
  expect([640, 1_536, 1_048_576, 157_286_400].map(bytesText)).toEqual(['640 B', '1.5 KiB', '1.0 MiB', '150 MiB']);
});

describe('a number', () => {
  it.each([
    [0, '0'],
    [999, '999'],
    [-1_000, '-1,000'],
    [18_048_196, '18,048,196'],
    [10n ** 20n, '100,000,000,000,000,000,000'],
    [0.0625, '0.0625'],
    [1_234.56789, '1,234.56789'],
    [1e21, '1e+21'],
  ])('%s is %s', (value, text) => {
    expect(countText(value)).toBe(text);
  });

  it('has all of its digits', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(Number(countText(value).replaceAll(',', ''))).toBe(value === 0 ? 0 : value);
      }),
    );
  });

  it('has its noun', () => {
    expect([nounText(1, 'window'), nounText(1_204, 'window'), nounText(0, 'entry', 'entries')]).toEqual([
      '1 window',
      '1,204 windows',
      '0 entries',
    ]);
  });
});

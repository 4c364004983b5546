import fc from 'fast-check';
import { expect, test } from 'vitest';
import { normalPath } from '../src/tables/normal-path.ts';

const path = fc
  .array(fc.constantFrom('\\', '/', '\\\\', '//', 'C:', 'Windows', 'é😀', 'a.dll', '.'), { minLength: 1, maxLength: 8 })
  .map((parts) => parts.join(''));

test.each([
  ['C:\\Windows\\System32//energyprov.dll', 'C:\\Windows\\System32\\energyprov.dll'],
  ['C:\\Windows\\\\System32\\', 'C:\\Windows\\System32'],
  ['C:/Windows/System32', 'C:\\Windows\\System32'],
  ['C:\\', 'C:\\'],
  ['\\\\server\\share\\\\file', '\\\\server\\share\\file'],
  ['\\\\\\server//share', '\\\\server\\share'],
  ['/usr//bin///ls', '/usr/bin/ls'],
  ['/', '/'],
  ['/tmp/odd\\name', '/tmp/odd\\name'],
  ['name.dll', 'name.dll'],
])('%s is %s', (delivered, normal) => {
  expect(normalPath(delivered)).toBe(normal);
});

test('normalising twice changes nothing', () => {
  fc.assert(
    fc.property(path, (text) => {
      expect(normalPath(normalPath(text))).toBe(normalPath(text));
    }),
  );
});

test('no separator is doubled, except the two that begin a UNC path', () => {
  fc.assert(
    fc.property(path, (text) => {
      const normal = normalPath(text);
      const separator = normal.startsWith('/') || !/[\\:]/.test(normal) ? '//' : '\\\\';
      expect(normal.slice(1)).not.toContain(separator);
    }),
  );
});

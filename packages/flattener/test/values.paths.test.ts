import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { fullFilePath, normalPath } from '../src/in-process/values.ts';

const path = fc
  .array(fc.constantFrom('\\', '/', '\\\\', '//', 'C:', 'Windows', 'é😀', 'a.dll', '.'), { minLength: 1, maxLength: 8 })
  .map((parts) => parts.join(''));

describe('normalised paths', () => {
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
});

describe('full file paths', () => {
  test.each([
    ['C:\\Windows\\System32', 'C:\\Windows\\System32', 'a.dll', 'C:\\Windows\\System32\\a.dll'],
    ['c:\\windows', 'C:\\Windows', 'a.dll', 'c:\\windows\\a.dll'],
    ['C:\\Windows\\A.DLL', 'C:\\Windows', 'a.dll', 'C:\\Windows\\A.DLL'],
    ['/opt/zoom', '/opt/zoom', 'zoom', '/opt/zoom/zoom'],
    ['/Opt', '/opt', 'x', '/Opt'],
    [null, 'C:\\', 'a.dll', 'C:\\a.dll'],
    [null, 'C:\\Windows', null, null],
    ['C:\\Windows\\a.dll', null, 'a.dll', 'C:\\Windows\\a.dll'],
  ])('%s in %s named %s is %s', (fullPath, directory, name, expected) => {
    expect(fullFilePath(fullPath, directory, name)).toBe(expected);
  });
});

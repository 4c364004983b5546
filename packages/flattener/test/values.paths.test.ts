import { expect, test } from 'vitest';
import { fullFilePath } from '../src/in-process/values.ts';

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

import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { plant } from '../mutation/planted-bug.ts';
import { PLANTED_BUGS } from '../mutation/planted-bugs.ts';

const TOP = fileURLToPath(new URL('../../', import.meta.url));

describe('planted bugs', () => {
  it('are at least 25, each with a name of its own', () => {
    expect(PLANTED_BUGS.length).toBeGreaterThanOrEqual(25);
    expect(new Set(PLANTED_BUGS.map(({ name }) => name)).size).toBe(PLANTED_BUGS.length);
  });

  it.each(PLANTED_BUGS.map((bug) => [bug.name, bug] as const))('%s still fits the source', (_, bug) => {
    const source = readFileSync(join(TOP, bug.file), 'utf8');
    expect(plant(bug, source)).not.toBe(source);
    for (const path of bug.tests) expect(existsSync(join(TOP, path)), path).toBe(true);
  });

  it('are refused where the text to replace is gone or occurs twice', () => {
    const bug = { ...PLANTED_BUGS[0]!, find: 'a', replace: 'b' };
    expect(() => plant(bug, 'xyz')).toThrow('0 times');
    expect(() => plant(bug, 'aa')).toThrow('2 times');
  });
});

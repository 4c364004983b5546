import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readIndicators } from 'edrlake';
import { expect, test } from 'vitest';
import { LISTS } from '../../../packages/lake/test/threat-lists.ts';
import { definePart, installPython, output, TOP } from '../part.ts';

const PACKAGES = ['stix2==3.0.2', 'pymisp==2.5.34.4'];

definePart(
  'threat-lists',
  (folder) => installPython(folder, PACKAGES),
  (python) => {
    test('a bundle of stix2 and an export of pymisp are read', async () => {
      const folder = await mkdtemp(join(tmpdir(), 'edrlake-lists-'));
      try {
        await output(python(), [join(TOP, 'test/services/threat-lists/make_lists.py'), folder], { cwd: folder });
        for (const { file, format, expected } of LISTS) {
          const list = readIndicators(await readFile(join(folder, file), 'utf8'));
          expect(list.format).toBe(format);
          expect(list.indicators.map(({ kind, text }) => `${kind} ${text}`)).toEqual(expected);
        }
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
  },
);

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseRange } from '@edrlake/core';
import { expect, it } from 'vitest';
import { openEdrLake } from '../src/connect/open-lake.ts';
import { exportRange } from '../src/export/export-flow.ts';
import { OPTIONS, onStage } from './flow-stage.ts';

const DAY = parseRange('2020-08-17', '2020-08-17');

it('a memory limit that is too small is named as that, and a larger one goes on from there', async () => {
  await onStage({ events: 3_000, range: DAY, seed: 5 }, async ({ ends, services, pagesServed }) => {
    const directory = await mkdtemp(join(tmpdir(), 'edrlake-memory-'));
    const request = { axis: 'event', ranges: [{ range: DAY }], scope: { filter: null, state: null } } as const;
    const withMemory = async (memoryLimit: string) => {
      const lake = await openEdrLake(directory, { create: true, readOnly: false, memoryLimit }, services());
      try {
        return await exportRange({ ...ends, lake }, request, OPTIONS, services());
      } finally {
        await lake.close();
      }
    };
    try {
      await expect(withMemory('16MB')).rejects.toMatchObject({ code: 'OUT_OF_MEMORY', exitCode: 2 });
      const pages = pagesServed();
      expect((await withMemory('600MB')).outcome).toBe('done');
      expect(pagesServed()).toBe(pages);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  });
});

import { cp, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { inFreshDirectory, inPlainDuckDb, runCommand, runJson } from '../e2e/command.ts';
import { startCaseGateway } from './gateway.ts';

it('a lake that was moved or copied works at once, for DuckDB and for edrlake', async () => {
  const start = Date.parse('2021-03-27T00:00:00Z');
  const gateway = await startCaseGateway({
    events: Array.from({ length: 100 }, (_, index) => ({
      id: `F_${index}`,
      type: 'FILE',
      dateTime: new Date(start + index * 60_000).toISOString(),
      asset: { agentId: 'a' },
    })),
  });
  try {
    await inFreshDirectory(async (directory) => {
      const [one, two, three] = ['one', 'two', 'three'].map((name) => join(directory, name, 'lake')) as [
        string,
        string,
        string,
      ];
      const days = ['--from', '2021-03-27', '--to', '2021-03-27'];
      await runJson(['backfill', ...days, '--base-url', gateway.url, '--lake', one]);
      await rename(join(directory, 'one'), join(directory, 'two'));
      await cp(two, three, { recursive: true });
      const count = 'select count(*) from events';
      for (const lake of [two, three]) {
        expect(await inPlainDuckDb(count, join(lake, 'lake.duckdb'))).toEqual([['100']]);
        const asked = await runCommand(['query', 'select count(event_id) as n from events', '--lake', lake, '--json']);
        expect(JSON.parse(asked.stdout)).toEqual([{ n: 100 }]);
      }
      expect(await runJson(['status', '--lake', two])).toMatchObject({ version: 1 });
    });
  } finally {
    await gateway.close();
  }
});

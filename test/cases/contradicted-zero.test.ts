import { join } from 'node:path';
import { expect, it } from 'vitest';
import { inFreshDirectory, runCommand } from '../e2e/command.ts';
import { startCaseGateway } from './gateway.ts';

const event = (day: string) => {
  const at = `${day}T10:00:00.000+0000`;
  return { id: `F_${day}`, type: 'FILE', dateTime: at, eventProcessedTime: at, asset: { agentId: 'a' } };
};
const TWO_DAYS = ['--from', '2021-03-27', '--to', '2021-03-28'];

it('a count of zero and an empty page prove nothing where the lake holds proven events', async () => {
  let isDown = false;
  const gateway = await startCaseGateway({
    events: [event('2021-03-27'), event('2021-03-28')],
    answer: ({ kind, res, send }) => {
      if (!isDown || (kind !== 'count' && kind !== 'events')) return false;
      if (kind === 'count') send(200, '{"count":0}');
      else res.writeHead(204).end();
      return true;
    },
  });
  try {
    await inFreshDirectory(async (directory) => {
      const to = ['--base-url', gateway.url, '--lake', join(directory, 'lake')];
      expect((await runCommand(['backfill', '--from', '2021-03-27', '--to', '2021-03-27', ...to])).exitCode).toBe(0);
      isDown = true;
      const contradicted = await runCommand(['backfill', ...TWO_DAYS, ...to]);
      expect(contradicted.exitCode, contradicted.stdout).toBe(3);
      expect(contradicted.stdout.replace(/\s+/g, ' ')).toContain('but the lake holds 1 proven event of this range');
      const days = await runCommand([
        'query',
        'select event_date::text, verdict from coverage order by 1',
        '--format',
        'csv',
        ...to.slice(2),
      ]);
      expect(days.stdout).toContain('2021-03-27,complete');
      expect(days.stdout).toContain('2021-03-28,unverified');
      isDown = false;
      expect((await runCommand(['backfill', ...TWO_DAYS, ...to])).stdout).toContain('1 new');
    });
  } finally {
    await gateway.close();
  }
});

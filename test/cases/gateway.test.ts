import { join } from 'node:path';
import { expect, it } from 'vitest';
import { inFreshDirectory, runJson } from '../e2e/command.ts';
import { startCaseGateway } from './gateway.ts';

it('a gateway without faults is exported completely, and logs its requests', async () => {
  const events = Array.from({ length: 25 }, (_, index) => ({
    id: `E_${index}`,
    type: 'FILE',
    dateTime: `2021-03-27T10:00:${String(index).padStart(2, '0')}.000+0000`,
    asset: { agentId: 'a' },
  }));
  const gateway = await startCaseGateway({ events });
  try {
    await inFreshDirectory(async (directory) => {
      const report = await runJson([
        ...['backfill', '--from', '2021-03-27', '--to', '2021-03-27'],
        ...['--base-url', gateway.url, '--lake', join(directory, 'lake')],
      ]);
      expect(report).toMatchObject({ outcome: 'done', events: { counted: 25, new: 25 } });
    });
    expect(gateway.asked('events')).toBe(1);
    expect(gateway.log.at(-1)).toContain('events /ioc/events?');
  } finally {
    await gateway.close();
  }
});

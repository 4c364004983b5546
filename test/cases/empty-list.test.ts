import { join } from 'node:path';
import { expect, it } from 'vitest';
import { inFreshDirectory, runCommand } from '../e2e/command.ts';
import { startCaseGateway } from './gateway.ts';

const DAY = ['--from', '2021-03-27', '--to', '2021-03-27'];

it('an empty list beside a total confirms no count of zero', async () => {
  const gateway = await startCaseGateway({
    events: [],
    answer: ({ kind, send }) => {
      if (kind === 'count') send(200, '{"count":0}');
      else if (kind === 'events') send(200, '{"data":[],"total":400}');
      else return false;
      return true;
    },
  });
  try {
    await inFreshDirectory(async (directory) => {
      const lake = join(directory, 'lake');
      const ended = await runCommand(['backfill', ...DAY, '--base-url', gateway.url, '--lake', lake, '--json']);
      expect(ended.exitCode, ended.stdout).toBe(3);
      expect(JSON.parse(ended.stdout).windows.unverified).toMatchObject([{ code: 'BODY_BROKEN' }]);
      expect(gateway.asked('events')).toBe(2);
    });
  } finally {
    await gateway.close();
  }
});

import { join } from 'node:path';
import { parseRange, seededRandom, systemClock } from '@edrlake/core';
import { diagnose } from '@edrlake/runner';
import { expect, it } from 'vitest';
import { inFreshDirectory } from '../e2e/command.ts';
import { startCaseGateway } from './gateway.ts';

it('names limit headers that make no sense, and waits for none of them', async () => {
  const at = '2021-03-27T10:00:00.000+0000';
  const gateway = await startCaseGateway({
    events: [{ id: 'F_1', type: 'FILE', dateTime: at, eventProcessedTime: at }],
    answer: ({ res }) => {
      for (const [name, text] of Object.entries({ Limit: '0', Remaining: '-1', 'ToWait-Sec': 'never' })) {
        res.setHeader(`X-RateLimit-${name}`, text);
      }
      return false;
    },
  });
  try {
    await inFreshDirectory(async (directory) => {
      const services = {
        clock: systemClock,
        random: seededRandom(1),
        emit: () => undefined,
        signal: AbortSignal.timeout(20_000),
      };
      const settings = { baseUrl: gateway.url, username: 'demo', password: 'demo' };
      const range = parseRange('2021-03-27', '2021-03-27');
      const findings = await diagnose({ settings, lakeDirectory: join(directory, 'lake'), range }, services);
      expect(findings.find(({ name }) => name === 'limit headers')).toMatchObject({
        status: 'warn',
        found: expect.stringMatching(/towait-sec: never.*x-ratelimit-limit: 0.*x-ratelimit-remaining: -1/),
      });
      expect(findings.find(({ name }) => name === 'rate limit')?.found).toContain('300 requests per 3,600 s');
    });
  } finally {
    await gateway.close();
  }
});

import { join } from 'node:path';
import { expect, it } from 'vitest';
import { inFreshDirectory, runCommand } from '../e2e/command.ts';
import { startCaseGateway } from './gateway.ts';

const HOUR = 3_600_000;
const iso = (ms: number) => new Date(ms).toISOString().replace('Z', '+0000');

it('a count of -1 from the second sync on leaves the watermark where it was', async () => {
  const now = Date.now();
  const events = Array.from({ length: 20 }, (_, n) => {
    const at = iso(now - 5 * HOUR + n * 60_000);
    return { id: `F_${n}`, type: 'FILE', dateTime: at, eventProcessedTime: at, asset: { agentId: 'a' } };
  });
  let isStrange = false;
  const gateway = await startCaseGateway({
    events,
    answer: ({ kind, send }) => {
      if (kind === 'count' && isStrange) send(200, '{"count":-1}');
      return kind === 'count' && isStrange;
    },
  });
  try {
    await inFreshDirectory(async (directory) => {
      const lake = ['--lake', join(directory, 'lake')];
      const sync = (...more: string[]) => runCommand(['sync', '--json', '--base-url', gateway.url, ...lake, ...more]);
      const first = await sync('--since', new Date(now - 24 * HOUR).toISOString());
      expect(first.exitCode, first.stderr).toBe(0);
      const { watermarkAfter: watermark } = JSON.parse(first.stdout);
      isStrange = true;
      for (let nth = 0; nth < 2; nth++) {
        const strange = await sync();
        expect(strange.exitCode, strange.stdout).toBe(1);
        const status = await runCommand(['status', '--json', ...lake]);
        expect(JSON.parse(status.stdout)).toMatchObject({ watermark });
      }
    });
  } finally {
    await gateway.close();
  }
});

const NO_ANSWERS: readonly (readonly [status: number, headers: Record<string, string>])[] = [
  ...[202, 203, 206, 304].map((status) => [status, {}] as const),
  [302, { location: '/login' }],
  [200, { 'content-encoding': 'br' }],
  [503, { 'content-encoding': 'br' }],
];

it.each(
  NO_ANSWERS.flatMap(([status, headers]) => [
    ['count', status, headers] as const,
    ['events', status, headers] as const,
  ]),
)('a %s answered once with %i %j is asked for again', async (once, status, headers) => {
  const now = Date.now();
  const events = Array.from({ length: 20 }, (_, n) => {
    const at = iso(now - 5 * HOUR + n * 60_000);
    return { id: `F_${n}`, type: 'FILE', dateTime: at, eventProcessedTime: at, asset: { agentId: 'a' } };
  });
  const gateway = await startCaseGateway({
    events,
    answer: ({ kind, nth, send }) => {
      const isStrange = kind === once && nth === 1;
      if (isStrange) send(status, kind === 'count' ? '{"count":0}' : '[]', headers);
      return isStrange;
    },
  });
  try {
    await inFreshDirectory(async (directory) => {
      const lake = ['--lake', join(directory, 'lake')];
      const since = new Date(now - 24 * HOUR).toISOString();
      const synced = await runCommand(['sync', '--since', since, '--base-url', gateway.url, ...lake]);
      expect(synced.exitCode, synced.stdout + synced.stderr).toBe(0);
      const { stdout } = await runCommand(['query', 'select count(*) as n from events', '--format', 'csv', ...lake]);
      expect(stdout).toBe('n\n20\n');
    });
  } finally {
    await gateway.close();
  }
});

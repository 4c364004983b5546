import { join } from 'node:path';
import { expect, it } from 'vitest';
import { inFreshDirectory, runCommand } from '../e2e/command.ts';
import { type CaseEvent, startCaseGateway } from './gateway.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

const event = (nth: number, happenedMs: number, processedMs: number): CaseEvent => {
  const [dateTime, eventProcessedTime] = [happenedMs, processedMs].map((ms) => new Date(ms).toISOString());
  return { id: `E_${nth}`, type: 'FILE', dateTime, eventProcessedTime, asset: { agentId: 'a' } };
};

/** A platform that selects consistently, by counts and pages alike, by something else than it was asked for. */
const MISREADINGS: Readonly<Record<string, (filter: string) => string>> = {
  'reads times in the zone of India': (filter) =>
    filter.replace(
      /'(\d{4}-[^']+)'/g,
      (_, at: string) => `'${new Date(Date.parse(at) - 5.5 * HOUR_MS).toISOString()}'`,
    ),
  'selects by the other time': (filter) =>
    filter.replace(/event\.(\w+)/g, (_, token: string) =>
      /process/i.test(token) ? 'event.dateTime' : 'event.eventProcessedTime',
    ),
};

it.each(
  Object.keys(MISREADINGS).flatMap((misreading) => [
    [misreading, 'backfill'],
    [misreading, 'sync'],
  ]),
)('nothing is proven of a platform that %s, by %s', async (misreading, command) => {
  const nowMs = Date.now();
  const [fromMs, untilMs] = [nowMs - 6 * HOUR_MS, nowMs - 2 * HOUR_MS];
  const events = Array.from({ length: 200 }, (_, nth) => {
    const happenedMs = nowMs - 24 * HOUR_MS + nth * 7 * MINUTE_MS;
    return event(nth, happenedMs, happenedMs + 40 * MINUTE_MS);
  });
  const gateway = await startCaseGateway({
    events,
    answer: ({ kind, params }) => {
      if (kind !== 'count' && kind !== 'events') return false;
      const filter = params.get('filter');
      if (filter !== null) params.set('filter', MISREADINGS[misreading]?.(filter) ?? filter);
      return false;
    },
  });
  try {
    await inFreshDirectory(async (directory) => {
      const lake = ['--lake', join(directory, 'lake')];
      const [from, until] = [fromMs, untilMs].map((ms) => new Date(ms).toISOString());
      const range = command === 'backfill' ? ['--from', from ?? '', '--to', until ?? ''] : ['--since', from ?? ''];
      const args = [command, ...range, ...lake, '--base-url', gateway.url, '--rate-limit', 'none'];
      const { exitCode, stdout, stderr } = await runCommand(args);
      expect([exitCode, stdout + stderr]).toEqual([
        4,
        expect.stringMatching(/Expected {2}\S+ to \S+\s+Found {5}\S+ to/),
      ]);
      const proven = await runCommand(['query', 'select * from events_proven', ...lake, '--format', 'csv']);
      expect(proven.stdout.trim().split('\n')).toHaveLength(1);
      expect(JSON.stringify(await runCommand(['status', ...lake, '--json']))).not.toContain('proven":true');
    });
  } finally {
    await gateway.close();
  }
});

it('times that a platform shows in whole seconds are in their range', async () => {
  const startMs = Date.UTC(2021, 2, 27, 10) + 500;
  const shown = (ms: number) => new Date(Math.floor(ms / 1000) * 1000).toISOString().replace('.000', '');
  const events = Array.from({ length: 40 }, (_, nth) => {
    const at = startMs + nth * 100;
    const raw = JSON.stringify(event(nth, at, at)).replaceAll(new Date(at).toISOString(), shown(at));
    return { at: new Date(at).toISOString(), raw };
  });
  const gateway = await startCaseGateway({ events });
  try {
    await inFreshDirectory(async (directory) => {
      const small = [
        '--page-size',
        '5',
        '--max-result-window',
        '10',
        '--base-url',
        gateway.url,
        '--rate-limit',
        'none',
      ];
      const range = ['--from', '2021-03-27', '--to', '2021-03-27', '--lake', join(directory, 'lake')];
      expect((await runCommand(['backfill', ...range, ...small])).exitCode).toBe(0);
    });
  } finally {
    await gateway.close();
  }
});

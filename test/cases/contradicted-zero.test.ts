import { join } from 'node:path';
import { expect, it } from 'vitest';
import { inFreshDirectory, runCommand } from '../e2e/command.ts';
import { type CaseGateway, startCaseGateway } from './gateway.ts';

const event = (day: string) => {
  const at = `${day}T10:00:00.000+0000`;
  return { id: `F_${day}`, type: 'FILE', dateTime: at, eventProcessedTime: at, asset: { agentId: 'a' } };
};
const ONE_DAY = ['--from', '2021-03-27', '--to', '2021-03-27'];
const TWO_DAYS = ['--from', '2021-03-27', '--to', '2021-03-28'];
const NEXT_DAY = ['--from', '2021-03-28', '--to', '2021-03-28'];

/** A gateway with an event on each of two days. Where its search service is down, it answers and finds nothing. */
async function onGateway(
  lost: { isDown: boolean; readonly everywhere: boolean },
  work: (gateway: CaseGateway, run: (...args: string[]) => ReturnType<typeof runCommand>) => Promise<void>,
): Promise<void> {
  const gateway = await startCaseGateway({
    events: [event('2021-03-27'), event('2021-03-28')],
    answer: ({ kind, params, res, send }) => {
      if (!lost.isDown || (kind !== 'count' && kind !== 'events')) return false;
      if (!lost.everywhere && params.get('filter')?.includes('1970-01-01') !== false) return false;
      if (kind === 'count') send(200, '{"count":0}');
      else res.writeHead(204).end();
      return true;
    },
  });
  try {
    await inFreshDirectory((directory) => {
      const lake = ['--lake', join(directory, 'lake')];
      const run = (command: string, ...args: string[]) => {
        const reach = command === 'query' ? lake : [...lake, '--base-url', gateway.url];
        return runCommand([command, ...args, ...reach]);
      };
      return work(gateway, (command = '', ...args) => run(command, ...args));
    });
  } finally {
    await gateway.close();
  }
}

const VERDICTS = 'select event_date::text, verdict from coverage order by 1';

it('a count of zero and an empty page prove nothing where the lake holds proven events', async () => {
  const lost = { isDown: false, everywhere: false };
  await onGateway(lost, async (_, run) => {
    expect((await run('backfill', ...ONE_DAY)).exitCode).toBe(0);
    lost.isDown = true;
    const contradicted = await run('backfill', ...TWO_DAYS);
    expect(contradicted.exitCode, contradicted.stdout).toBe(3);
    expect(contradicted.stdout.replace(/\s+/g, ' ')).toContain('but the lake holds 1 proven event of this range');
    const days = await run('query', VERDICTS, '--format', 'csv');
    expect(days.stdout).toContain('2021-03-27,complete');
    expect(days.stdout).toContain('2021-03-28,unverified');
    lost.isDown = false;
    expect((await run('backfill', ...TWO_DAYS)).stdout).toContain('1 new');
  });
});

it('nor on another day, where the API counts nothing of any time although the lake holds proven events', async () => {
  const lost = { isDown: false, everywhere: true };
  await onGateway(lost, async (gateway, run) => {
    expect((await run('backfill', ...ONE_DAY)).exitCode).toBe(0);
    lost.isDown = true;
    const doubted = await run('backfill', ...NEXT_DAY);
    expect(doubted.exitCode, doubted.stdout).toBe(3);
    expect(doubted.stdout.replace(/\s+/g, ' ')).toContain('counts no event of any time, but the lake holds 1 proven');
    expect((await run('query', VERDICTS, '--format', 'csv')).stdout).toContain('2021-03-28,unverified');
    // Not even --replace believes it: it would delete what the lake has.
    const replaced = await run('backfill', ...ONE_DAY, '--force', '--replace');
    expect(replaced.exitCode, replaced.stdout + replaced.stderr).toBe(3);
    expect((await run('query', 'select count(*) n from events', '--format', 'csv')).stdout).toContain('1');
    lost.isDown = false;
    expect((await run('backfill', ...NEXT_DAY)).stdout).toContain('1 new');
    expect(gateway.asked('events')).toBe(2);
  });
});

it('nor for a sync, which goes on from the same place once the data is back', async () => {
  const lost = { isDown: false, everywhere: true };
  await onGateway(lost, async (_, run) => {
    expect((await run('sync', '--since', '2021-03-01')).exitCode).toBe(0);
    lost.isDown = true;
    const doubted = await run('sync');
    expect(doubted.exitCode, doubted.stdout).toBe(3);
    lost.isDown = false;
    expect((await run('sync')).exitCode).toBe(0);
  });
});

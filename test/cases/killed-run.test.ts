import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { inFreshDirectory, runCommand, startCommand } from '../e2e/command.ts';
import { startCaseGateway } from './gateway.ts';

const HOUR_MS = 3_600_000;

/** Pages that the journals of a lake name: only these has a killed run kept. */
async function journaledPages(lake: string): Promise<number> {
  const folder = join(lake, '_runs');
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  const texts = names.filter((name) => name.endsWith('.jsonl')).map((name) => readFile(join(folder, name), 'utf8'));
  return (await Promise.all(texts)).join('').split('"type":"page"').length - 1;
}

/** What a gateway has of 600 events, of which the first 200 are of another day, once the killed run starts again. */
const LOSSES: Readonly<Record<string, (nth: number) => boolean>> = {
  'all events': () => false,
  'the events of the range': (nth) => nth < 200,
  'most events of the range': (nth) => nth < 250,
};

it.each([
  ['all events', 'backfill', 2],
  ['all events', 'sync', 2],
  ['the events of the range', 'backfill', 2],
  // The next sync is another run, and events that are processed again leave a range.
  ['the events of the range', 'sync', 1],
  ['most events of the range', 'backfill', 2],
] as const)('a gateway that lost %s while a killed %s was down proves nothing', async (loss, command, times) => {
  const firstMs = Date.now() - 50 * HOUR_MS;
  const events = Array.from({ length: 600 }, (_, nth) => {
    const atMs = nth < 200 ? firstMs - 200 * HOUR_MS : firstMs + nth * 60_000;
    const dateTime = new Date(atMs).toISOString();
    return { id: `F_${nth}`, type: 'FILE', dateTime, eventProcessedTime: dateTime };
  });
  let isLosing = false;
  const has = LOSSES[loss] ?? (() => true);
  const gateway = await startCaseGateway({
    events,
    answer: ({ kind, nth, params, rows, send }) => {
      // The third page is never answered.
      if (!isLosing && kind === 'events' && nth === 3) return true;
      if (!isLosing || (kind !== 'count' && kind !== 'events')) return false;
      const left = rows(params).filter((row) => has(Number(/F_(\d+)/.exec(String(row))?.[1])));
      const from = Number(params.get('pageNumber') ?? 0) * 100;
      const page = `[${left.slice(from, from + 100).join(',')}]`;
      send(200, kind === 'count' ? JSON.stringify({ count: left.length }) : page);
      return true;
    },
  });
  try {
    await inFreshDirectory(async (directory) => {
      const lake = ['--lake', join(directory, 'lake')];
      const [from, until] = [-60, -5].map((hours) => new Date(Date.now() + hours * HOUR_MS).toISOString());
      const range = command === 'backfill' ? ['--from', from ?? '', '--to', until ?? ''] : ['--since', from ?? ''];
      const ends = ['--page-size', '100', '--concurrency', '1', '--base-url', gateway.url, '--rate-limit', 'none'];
      const args = [command, ...range, ...lake, ...ends];
      const killed = startCommand(args);
      await expect.poll(() => journaledPages(join(directory, 'lake')), { timeout: 20_000 }).toBe(2);
      killed.kill('SIGKILL');
      await killed.ended;
      isLosing = true;
      const proven = async () => {
        const sql = 'select count(*) as n from events_proven';
        return (await runCommand(['query', sql, ...lake, '--format', 'csv'])).stdout.trim();
      };
      for (let nth = 0; nth < times; nth += 1) {
        const ended = await runCommand(args);
        expect([ended.exitCode, ended.stdout + ended.stderr]).toEqual([3, expect.any(String)]);
        expect(await proven()).toBe('n\n0');
        const { stdout } = await runCommand(['query', 'from coverage', ...lake, '--format', 'csv']);
        expect(stdout).not.toContain(',complete,');
      }
      isLosing = false;
      const ended = await runCommand(args);
      expect(ended.exitCode, ended.stdout + ended.stderr).toBe(0);
      const { stdout } = await runCommand(['query', 'select count(*) as n from events', ...lake, '--format', 'csv']);
      expect(stdout.trim()).toBe('n\n400');
    });
  } finally {
    await gateway.close();
  }
});

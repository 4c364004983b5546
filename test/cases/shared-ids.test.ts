import { join } from 'node:path';
import { expect, it } from 'vitest';
import { inFreshDirectory, runCommand } from '../e2e/command.ts';
import { startCaseGateway } from './gateway.ts';

const HOUR_MS = 3_600_000;

/** How a platform may number 600 events so that ids do not tell them apart. */
const NUMBERINGS: Readonly<Record<string, (nth: number) => string>> = {
  'gives all events one id': () => 'N/A',
  'gives some events no id of their own': (nth) => (nth % 40 === 0 ? 'unknown' : `F_${nth}`),
  'gives pairs of events one id': (nth) => `F_${nth % 10 === 0 ? nth + 1 : nth}`,
};

it.each(
  Object.keys(NUMBERINGS).flatMap((numbering) => [
    [numbering, 'backfill', 'duckdb'],
    [numbering, 'backfill', 'parquetjs'],
    [numbering, 'sync', 'duckdb'],
  ]),
)('nothing is proven of a platform that %s, by %s with %s', async (numbering, command, writer) => {
  const firstMs = Date.now() - 30 * HOUR_MS;
  const events = Array.from({ length: 600 }, (_, nth) => {
    const dateTime = new Date(firstMs + nth * 60_000).toISOString();
    return { id: NUMBERINGS[numbering]?.(nth), type: 'FILE', dateTime, eventProcessedTime: dateTime };
  });
  const gateway = await startCaseGateway({ events });
  try {
    await inFreshDirectory(async (directory) => {
      const lake = ['--lake', join(directory, 'lake')];
      const [from, until] = [-31, -2].map((hours) => new Date(Date.now() + hours * HOUR_MS).toISOString());
      const range = command === 'backfill' ? ['--from', from ?? '', '--to', until ?? ''] : ['--since', from ?? ''];
      const ends = [...lake, '--writer', writer, '--base-url', gateway.url, '--rate-limit', 'none'];
      const { exitCode, stdout, stderr } = await runCommand([command, ...range, ...ends]);
      expect([exitCode, stdout + stderr]).toEqual([
        4,
        expect.stringMatching(/ids of the API do not tell events apart/),
      ]);
      const proven = await runCommand(['query', 'select count(*) as n from events_proven', ...lake, '--format', 'csv']);
      expect(proven.stdout).toBe('n\n0\n');
      const days = ['--from', from?.slice(0, 10) ?? '', '--to', until?.slice(0, 10) ?? ''];
      const compared = await runCommand(['reconcile', ...days, ...lake, '--base-url', gateway.url]);
      expect([compared.exitCode, compared.stdout]).toEqual([4, expect.not.stringContaining('listed twice')]);
    });
  } finally {
    await gateway.close();
  }
});

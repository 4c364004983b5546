import { join } from 'node:path';
import { expect, it } from 'vitest';
import { inFreshDirectory, runCommand } from '../e2e/command.ts';
import { type CaseEvent, startCaseGateway } from './gateway.ts';

const EVENTS = 12_000;
const BAD = 6_000;
const DAY = ['--from', '2021-03-27', '--to', '2021-03-27'];
const START_MS = Date.parse('2021-03-27T00:00:00Z');
const iso = (ms: number) => new Date(ms).toISOString().replace('Z', '+0000');

const nested = `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`;

/** One of many records is not valid JSON. */
function eventsWith(spoil: (json: string) => string | Uint8Array): CaseEvent[] {
  return Array.from({ length: EVENTS }, (_, n) => {
    const at = iso(START_MS + n * 3_000);
    const file = { fileName: n === BAD ? 'caf@@' : 'x' };
    const event = { id: `F_${n}`, type: 'FILE', dateTime: at, eventProcessedTime: at, asset: { agentId: 'a' }, file };
    const raw = JSON.stringify(event);
    return { at, raw: n === BAD ? spoil(raw) : raw };
  });
}

it.each([
  ['a byte that is no UTF-8', 'not UTF-8', (json: string) => Buffer.from(json.replace('caf@@', 'caf\xe9'), 'latin1')],
  ['a raw control character', 'control character in a string', (json: string) => json.replace('caf@@', 'a\tb')],
  ['5,000 levels', 'nested too deeply', (json: string) => json.replace(/}$/, `,"registry":${nested}}`)],
  ['a quote that is not escaped', 'not JSON', (json: string) => json.replace('caf@@', 'say "hi"')],
  ['a path that escapes its quote', 'not JSON', (json: string) => json.replace('caf@@', 'C:\\dir\\')],
  ['a brace missing', 'not JSON', (json: string) => json.replace(/}$/, '')],
  ['a comma too many', 'not JSON', (json: string) => json.replace(/}$/, ',}')],
])('a record with %s is one reject, and all others are in the lake', async (_what, reason, spoil) => {
  const gateway = await startCaseGateway({ events: eventsWith(spoil) });
  try {
    await inFreshDirectory(async (directory) => {
      const lake = ['--lake', join(directory, 'lake')];
      const run = await runCommand(['backfill', ...DAY, '--base-url', gateway.url, ...lake]);
      expect(run.exitCode, run.stderr).toBe(0);
      expect(`${run.stdout}${run.stderr}`).toContain('1 record');
      expect(gateway.asked('events')).toBeLessThanOrEqual(EVENTS / 1_000 + 2);
      const query = async (sql: string) => {
        const { stdout, stderr } = await runCommand(['query', '--format', 'csv', ...lake, sql]);
        return stdout === '' ? stderr : stdout.trim().split('\n').slice(1);
      };
      expect(await query('select count(*), count(distinct event_id) from events')).toEqual([
        `${EVENTS - 1},${EVENTS - 1}`,
      ]);
      expect(await query('select reason, event_id, event_time::varchar, length(record) > 100 from rejects')).toEqual([
        `${reason},F_${BAD},2021-03-27 05:00:00+00,true`,
      ]);
      expect(await query('select counted, in_lake, rejected, verdict from coverage')).toEqual([
        `${EVENTS},${EVENTS - 1},1,complete`,
      ]);
      const compared = await runCommand(['reconcile', ...DAY, '--base-url', gateway.url, ...lake]);
      expect(compared.exitCode, compared.stdout).toBe(0);
      const pages = gateway.asked('events');
      const again = await runCommand(['backfill', ...DAY, '--base-url', gateway.url, ...lake]);
      expect(again.exitCode, again.stderr).toBe(0);
      expect(gateway.asked('events')).toBe(pages);
    });
  } finally {
    await gateway.close();
  }
});

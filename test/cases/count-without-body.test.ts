import { join } from 'node:path';
import { expect, it } from 'vitest';
import { inFreshDirectory, inPlainDuckDb, runCommand, runJson } from '../e2e/command.ts';
import { type CaseGateway, type CaseRequest, startCaseGateway } from './gateway.ts';

const HOUR_MS = 3_600_000;
const EVENTS = 400;

/** 400 events of the last twenty hours. The first answers to a count are broken. */
function gatewayWith(badCounts: number, spoil: (request: CaseRequest) => void): Promise<CaseGateway> {
  const nowMs = Date.now();
  const isoOf = (ms: number) => new Date(ms).toISOString().replace('Z', '+0000');
  const events = Array.from({ length: EVENTS }, (_, index) => {
    const atMs = nowMs - 20 * HOUR_MS + index * 170_000;
    return {
      id: `F_${index}`,
      type: 'FILE',
      dateTime: isoOf(atMs),
      eventProcessedTime: isoOf(atMs + 60_000),
      asset: { agentId: 'a' },
    };
  });
  return startCaseGateway({
    events,
    answer: (request) => {
      if (request.kind !== 'count' || request.nth > badCounts) return false;
      spoil(request);
      return true;
    },
  });
}

const dayBefore = (days: number) => new Date(Date.now() - days * 24 * HOUR_MS).toISOString().slice(0, 10);

it.each([
  ['without a body', (request: CaseRequest) => request.send(200, '')],
  ['204', (request: CaseRequest) => request.send(204, '')],
])('a count that is answered %s is asked for again: sync and backfill bring everything', async (_, spoil) => {
  for (const command of [
    ['sync', '--since', dayBefore(2)],
    ['backfill', '--from', dayBefore(1), '--to', dayBefore(0)],
  ]) {
    const gateway = await gatewayWith(1, spoil);
    try {
      await inFreshDirectory(async (directory) => {
        const lake = join(directory, 'lake');
        await runJson([...command, '--base-url', gateway.url, '--lake', lake]);
        const [[rows] = []] = await inPlainDuckDb(
          `select count(distinct event_id) from read_parquet('${lake}/events/*/*.parquet')`,
        );
        expect(Number(rows)).toBe(EVENTS);
      });
      expect(gateway.asked('count')).toBeGreaterThanOrEqual(2);
    } finally {
      await gateway.close();
    }
  }
});

it.each(['{"count":0}', '{"count":17}'])('a wrong count of %s leaves no event out', async (wrong) => {
  const gateway = await gatewayWith(1, ({ send }) => send(200, wrong));
  try {
    await inFreshDirectory(async (directory) => {
      const lake = join(directory, 'lake');
      await runJson(['sync', '--since', dayBefore(2), '--base-url', gateway.url, '--lake', lake]);
      const rows = await inPlainDuckDb(`select count(*) from read_parquet('${lake}/events/*/*.parquet')`);
      expect(rows).toEqual([[String(EVENTS)]]);
    });
  } finally {
    await gateway.close();
  }
});

it('a zero whose page cannot be fetched is unverified: exit code 3, status shows it, and the watermark stays', async () => {
  const gateway = await startCaseGateway({
    events: [],
    answer: ({ kind, send }) => {
      if (kind === 'events') send(200, '[{');
      return kind === 'events';
    },
  });
  try {
    await inFreshDirectory(async (directory) => {
      const flags = ['--base-url', gateway.url, '--lake', join(directory, 'lake')];
      const backfill = await runCommand(['backfill', '--from', '2021-03-27', '--to', '2021-03-28', ...flags]);
      expect(backfill.exitCode).toBe(3);
      expect(backfill.stdout).toContain('not confirmed by an empty page');
      const status = await runJson(['status', ...flags.slice(2)]);
      expect(status).toMatchObject({ days: { unverified: 2, complete: 0 }, provenUntil: null });
      const sync = await runCommand(['sync', '--since', dayBefore(1), '--json', ...flags]);
      expect(sync.exitCode).toBe(3);
      expect(JSON.parse(sync.stdout)).toMatchObject({
        outcome: 'partly',
        watermarkAfter: `${dayBefore(1)}T00:00:00.000Z`,
        exported: { windows: { unverified: [{ code: 'BODY_BROKEN' }] } },
      });
    });
  } finally {
    await gateway.close();
  }
});

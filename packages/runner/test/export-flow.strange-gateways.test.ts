import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { NO_FILTER, parseRange, seededRandom } from '@edrlake/core';
import { connect, type ExportReport, exportRange, openEdrLake } from '@edrlake/runner';
import { describe, expect, it } from 'vitest';
import { impatientClock, OPTIONS, type Stage } from './flow-stage.ts';

const DAY = parseRange('2020-08-17', '2020-08-17');

interface StrangeGateway {
  events: { readonly id: string; readonly dateTime: string; readonly type: string }[];
  /** The number of gzipped pages whose last bytes are missing. */
  tornPages: number;
}

const eventOn = (day: string, id: string) => ({ id, dateTime: `${day}T10:00:00.000+0000`, type: 'FILE' });

/** Exports one day from a gateway that answers every query with all its events. */
async function withGateway(
  gateway: StrangeGateway,
  work: (exportDay: () => Promise<ExportReport>, lake: Stage['lake']) => Promise<void>,
): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-strange-'));
  const server = createServer((request, response) => {
    const path = request.url ?? '';
    if (path.startsWith('/auth')) response.writeHead(201).end('a.token.text');
    else if (path.startsWith('/ioc/events/count')) response.end(JSON.stringify({ count: gateway.events.length }));
    else {
      const body = gzipSync(JSON.stringify(gateway.events));
      const torn = gateway.tornPages > 0;
      if (torn) gateway.tornPages -= 1;
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(torn ? body.subarray(0, -20) : body);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const services = {
    clock: impatientClock(),
    random: seededRandom(1),
    emit: () => {},
    signal: new AbortController().signal,
  };
  const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const connection = connect({ baseUrl, username: 'demo', password: 'demo' }, services);
  const lake = await openEdrLake(directory, { create: true, readOnly: false }, services);
  let runs = 0;
  const exportDay = () => {
    runs += 1;
    const ends = { source: connection.source, lake, requestsMade: connection.requestsMade };
    const request = { axis: 'event', ranges: [{ range: DAY }], scope: NO_FILTER } as const;
    return exportRange(ends, request, OPTIONS, { ...services, newRunId: `20261122T000000Z-${runs}` });
  };
  try {
    await work(exportDay, lake);
  } finally {
    await connection.close();
    await lake.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
    await rm(directory, { recursive: true, force: true });
  }
}

describe('a gateway', () => {
  it('whose compressed pages end early is asked again, and nothing breaks', async () => {
    const events = Array.from({ length: 400 }, (_, index) => eventOn('2020-08-17', `F_${index}`));
    await withGateway({ events, tornPages: 2 }, async (exportDay, lake) => {
      expect((await exportDay()).outcome).toBe('done');
      expect((await lake.coverage())[0]).toMatchObject({ verdict: 'complete', counted: 400, inLake: 400 });
    });
  });

  it('that ignores the range proves nothing about it', async () => {
    const events = [1, 2, 3].map((index) => eventOn('2020-08-20', `F_${index}`));
    await withGateway({ events, tornPages: 0 }, async (exportDay, lake) => {
      const report = await exportDay();
      expect(report.outcome).toBe('mismatch');
      const outside = { events: 3, firstDay: '2020-08-20', lastDay: '2020-08-20' };
      expect(report.windows.mismatched).toMatchObject([{ outside }]);
      const [asked] = await lake.coverage();
      expect(asked).toMatchObject({ day: '2020-08-17', verdict: 'mismatched', counted: 3, inLake: 0 });
    });
  });

  it('whose count agrees with the lake again later gets a new proof of the day', async () => {
    const gateway: StrangeGateway = { events: [eventOn('2020-08-17', 'a'), eventOn('2020-08-17', 'b')], tornPages: 0 };
    await withGateway(gateway, async (exportDay, lake) => {
      await exportDay();
      // The day loses an event to another day, which this gateway still delivers.
      gateway.events = [eventOn('2020-08-17', 'b'), eventOn('2020-08-18', 'a')];
      expect((await exportDay()).outcome).toBe('done');
      gateway.events = [eventOn('2020-08-18', 'a')];
      await exportDay();
      expect((await lake.coverage())[0]?.verdict).toBe('mismatched');
      gateway.events = [eventOn('2020-08-17', 'b')];
      expect((await exportDay()).outcome).toBe('done');
      expect((await lake.coverage())[0]).toMatchObject({
        day: '2020-08-17',
        verdict: 'complete',
        counted: 1,
        inLake: 1,
      });
    });
  });
});

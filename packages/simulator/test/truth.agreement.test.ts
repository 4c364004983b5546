import { describe, expect, it } from 'vitest';
import type { DayTruth, JsonObject } from '../src/index.ts';
import { allPages, countOf, DAY_MS, gateway, reader, START_MS } from './gateway.ts';

const rowsIn = (section: unknown, name: string) => {
  const found = (section as JsonObject | null | undefined)?.[name];
  return Array.isArray(found) ? found.length : 0;
};

/** The numbers of each day, by delivered records. */
function counted(rows: readonly JsonObject[]): DayTruth[] {
  const days = new Map<string, DayTruth>();
  for (const row of rows) {
    const day = String(row.dateTime).slice(0, 10);
    const entry = days.get(day) ?? {
      day,
      events: 0,
      rejects: 0,
      certificates: 0,
      indicators: 0,
      interfaces: 0,
      assetTags: 0,
    };
    days.set(day, entry);
    if (row.id === null) entry.rejects += 1;
    else {
      entry.events += 1;
      entry.certificates += rowsIn(row.file, 'certificates');
      entry.indicators += rowsIn(row, 'indicator1') + rowsIn(row, 'indicator2');
      entry.interfaces += rowsIn(row.asset, 'interfaces');
      entry.assetTags += rowsIn(row.asset, 'tags');
    }
  }
  return [...days.values()].sort((a, b) => (a.day < b.day ? -1 : 1));
}

describe('the truth', () => {
  it('equals what HTTP delivers: records, ids, and rows of every table per day', async () => {
    const simulator = await gateway({ events: 6000, nullIdShare: 0.01, unknownFieldShare: 0.02 });
    const rows = await allPages(await reader(simulator), { sort: '[{"event.dateTime":"asc"}]' });
    expect(rows).toEqual([...simulator.truth.indexes()].map((index) => simulator.truth.event(index)));
    expect(rows.flatMap((row) => (row.id === null ? [] : [row.id]))).toEqual([...simulator.truth.ids()]);
    const perDay = simulator.truth.perDay();
    expect(perDay).toEqual(counted(rows));
    for (const day of perDay) for (const part of Object.values(day)) expect(part).not.toBe(0);
    const secondDay = { startMs: START_MS + DAY_MS, endMs: START_MS + 2 * DAY_MS };
    expect(simulator.truth.perDay(secondDay)).toEqual(perDay.slice(1));
  });

  it('holds for added, revised and removed events', async () => {
    const simulator = await gateway();
    const read = await reader(simulator);
    const added = simulator.addEvents({ events: 50, range: { startMs: START_MS + 1000, endMs: START_MS + 2000 } });
    const revised = [...simulator.truth.indexes()].slice(100, 120);
    const before = revised.map((index) => simulator.truth.event(index));
    simulator.reviseEvents(revised, START_MS + 3 * DAY_MS);
    simulator.removeEvents([...simulator.truth.indexes()].slice(500, 510));
    const rows = await allPages(read, {});
    expect(rows).toHaveLength(3040);
    expect(simulator.truth.perDay()).toEqual(counted(rows));
    expect(new Set(rows.map((row) => row.id))).toEqual(new Set(simulator.truth.ids()));
    const shown = new Set(rows.map((row) => row.id));
    expect(added.map((index) => shown.has(simulator.truth.event(index).id))).toEqual(added.map(() => true));
    for (const [at, index] of revised.entries()) {
      const now = simulator.truth.event(index);
      expect(now.id).toBe(before[at]?.id);
      expect(now).not.toEqual(before[at]);
      expect(now.eventProcessedTime).toBe('2020-08-20T00:00:00.000+0000');
    }
    const late = "event.eventProcessedTime: ['2020-08-20' .. '2020-08-20']";
    expect(await countOf(read, late)).toBeGreaterThanOrEqual(20);
  });

  it('hides events that are processed after now', async () => {
    const simulator = await gateway({ nowMs: START_MS + DAY_MS });
    const read = await reader(simulator);
    const rows = await allPages(read, {});
    expect(rows.length).toBeGreaterThan(500);
    for (const row of rows) expect(Date.parse(String(row.eventProcessedTime))).toBeLessThanOrEqual(START_MS + DAY_MS);
    expect(simulator.truth.count()).toBe(rows.length);
    expect(await countOf(read, '')).toBe(rows.length);
    simulator.setNow(START_MS + 2 * DAY_MS);
    const later = await countOf(read, '');
    expect(later).toBeGreaterThan(rows.length);
    simulator.setNow(null);
    expect(await countOf(read, '')).toBe(3000);
  });
});

describe('the payloads', () => {
  it('show every irregular record', async () => {
    const simulator = await gateway({ events: 20_000, unknownFieldShare: 0.01, nullIdShare: 0.001 });
    const texts = [...simulator.truth.indexes()].map(simulator.truth.text);
    const irregularities = [
      /"type":"FILE"/,
      /"type":"PROCESS","asset"/,
      /"type":"MUTEX"/,
      /"type":"NETWORK"/,
      /"type":"REGISTRY"/,
      /"score":"0"/,
      /"score":0,"event/,
      /"score":null/,
      /"familyName":" "/,
      /"familyName":""/,
      /"familyName":null/,
      /"familyName":\[""\]/,
      /"verdict":"KNOWN"/,
      /"verdict":\["KNOWN"\]/,
      /"verdict":"MALICIOUS"/,
      /"elevated":true/,
      /"elevated":"false"/,
      /"createDate":"1970-01-01T00:00:00.000\+0000"/,
      /"extension":"\.dll"/,
      /"extension":"dll"/,
      /\/\/[^"]+"/,
      /"certificates":\[\]/,
      /"certificates":null/,
      /"indicator1":\[\{/,
      /"indicator1":null/,
      /"indicator2":\[\{[^\]]*\},\{/,
      /"tags":null/,
      /"tags":\[\{/,
      /"macAddress"/,
      /"amsi":\{/,
      /"antiphishing"/,
      /"id":null/,
      /"id":"F_[^"]+_-?\d+"/,
      /"id":"RTF_/,
      /"id":"RTP_[^"]+_\d+"/,
      /"id":"N_/,
      /"id":"M_/,
      /"id":"F_[0-9a-f-]{36}_\d+-\d+-\d{4}"/,
      /"id":"[^"]*ä/,
      /"timeSeriesId":"F_[0-9a-f-]{36}_\d{1,2}-8-2020"/,
      /jürgen/,
      /"rowId":"-\d{19}"/,
    ];
    for (const irregularity of irregularities)
      expect(
        texts.some((text) => irregularity.test(text)),
        String(irregularity),
      ).toBe(true);
    const certificates = new Set(texts.map((text) => rowsIn(JSON.parse(text).file, 'certificates')));
    expect([...certificates].sort()).toEqual([0, 1, 2, 3, 4, 5]);
    const rows64 = texts.flatMap((text) =>
      [...text.matchAll(/"rowId":"(-?\d+)"/g)].map((match) => BigInt(match[1] as string)),
    );
    for (const rowId of rows64) expect(BigInt.asIntN(64, rowId)).toBe(rowId);
  });

  it('have unique ids that lead back to their event', async () => {
    const { truth } = await gateway({ events: 20_000 });
    const seen = new Set<string>();
    let at = 0;
    for (const id of truth.ids()) {
      expect(truth.indexOf(id)).toBe(at);
      seen.add(id);
      at += 1;
    }
    expect(seen.size).toBe(20_000);
    expect(truth.indexOf('RTF_x_-3836563445362934026')).toBeNull();
  });
});

describe('GET /ioc/events/{agentId}/{eventId}', () => {
  it.each(['object', 'array', 'data'] as const)('shows details as %s, ids encoded', async (detailShape) => {
    const simulator = await gateway({ events: 2000, detailShape });
    const read = await reader(simulator);
    const unusual = [...simulator.truth.ids()].filter((id) => /[/?#%+"]/.test(id)).slice(0, 3);
    expect(unusual).toHaveLength(3);
    for (const id of [...unusual, ...[...simulator.truth.ids()].slice(0, 20)]) {
      const index = simulator.truth.indexOf(id) as number;
      const agentId = String((simulator.truth.event(index).asset as JsonObject).agentId);
      const answer = await read(`/${encodeURIComponent(agentId)}/${encodeURIComponent(id)}`);
      const detail = simulator.truth.detail(index);
      const shaped = { object: detail, array: [detail], data: { data: detail } }[detailShape];
      expect(answer.json<unknown>()).toEqual(JSON.parse(JSON.stringify(shaped)));
      expect([detail.eventId, detail.id]).toContainEqual(expect.any(String));
      expect((await read(`/other/${encodeURIComponent(id)}`)).status).toBe(404);
    }
  });

  it('answers 404 for no such event, and for one that is not current when asked', async () => {
    const simulator = await gateway();
    const read = await reader(simulator);
    expect((await read('/a/RTF_a_-3836563445362934026')).status).toBe(404);
    const statuses = new Set<number>();
    for (const index of [...simulator.truth.indexes()].slice(0, 40)) {
      const { asset, id } = simulator.truth.event(index);
      const path = `/${(asset as JsonObject).agentId}/${encodeURIComponent(String(id))}`;
      statuses.add((await read(path, { state: 'true' })).status);
    }
    expect([...statuses].sort()).toEqual([200, 404]);
  });
});

import { dayOf, MS_PER_DAY, MS_PER_HOUR, type Random, seededRandom, sum } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { findQuiet, type QuietFinding } from '../src/volume/find-quiet.ts';
import { HOURS, type SourceHours, sourceKey } from '../src/volume/hourly-volume.ts';

const FIRST_DAY = Date.UTC(2026, 0, 1) / MS_PER_DAY;
const LEARNED = 63;
const MONTH = 30;
const TYPES = ['FILE', 'PROCESS', 'NETWORK', 'REGISTRY', 'MUTEX'];
const PLATFORMS = ['WINDOWS', 'LINUX'];

function normal(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** Events of an hour around a mean: more scattered than by chance alone, as hosts work in bursts. */
function scattered(mean: number, random: Random): number {
  const burst = mean * Math.exp(0.4 * normal(random) - 0.08);
  return Math.max(0, Math.round(burst + Math.sqrt(burst) * normal(random)));
}

type Volume = Map<string, readonly SourceHours[]>;

interface Estate {
  /** From this instant the source brings nothing. */
  readonly stopped?: { readonly type: string; readonly platform: string; readonly fromMs: number };
  /** The share of days that look like a Sunday. */
  readonly holidays?: number;
}

/**
 * Days of an estate: sources of every size, weekends and nights, days that are busier or quieter together and each by
 * itself, growth, and now and then a holiday that looks like a Sunday.
 */
function simulate(seed: number, days: number, { stopped, holidays = 0 }: Estate = {}): Volume {
  const random = seededRandom(seed);
  const sources = TYPES.flatMap((type) =>
    PLATFORMS.map((platform) => ({
      ...{ type, platform, daily: Math.exp(2 + 9 * random()), weekend: 0.2 + 0.8 * random(), night: random() },
    })),
  );
  const volume: Volume = new Map();
  for (let day = FIRST_DAY; day < FIRST_DAY + days; day += 1) {
    const isHoliday = random() < holidays;
    const common = Math.exp(0.12 * normal(random)) * 1.004 ** (day - FIRST_DAY);
    const counts = sources.map(({ type, platform, daily, weekend, night }) => {
      // Day 0 of the epoch was a Thursday.
      const isFree = isHoliday || day % 7 === 2 || day % 7 === 3;
      const mean = daily * common * Math.exp(0.15 * normal(random)) * (isFree ? weekend : 1);
      const hours = Array.from({ length: HOURS }, (_, hour) => {
        const share = hour >= 7 && hour < 19 ? 2 - night : night;
        const isStopped =
          stopped?.type === type &&
          stopped.platform === platform &&
          day * MS_PER_DAY + hour * MS_PER_HOUR >= stopped.fromMs;
        const events = scattered((mean * share) / HOURS, random);
        return isStopped ? 0 : events;
      });
      return { type, platform, hours };
    });
    volume.set(dayOf(day * MS_PER_DAY), counts);
  }
  return volume;
}

/** Each finding once, and the nights that bring one: the hook is called once for all that is new. */
function nightly(volume: Volume, nights: readonly number[]) {
  const found = new Map<string, QuietFinding>();
  const alarms = new Set<number>();
  for (const night of nights) {
    const untilMs = (FIRST_DAY + night) * MS_PER_DAY;
    const known = new Map([...volume].slice(night - LEARNED, night));
    for (const finding of findQuiet(known, untilMs).findings) {
      const about = finding.kind === 'low' ? finding.day : 'silent';
      const key = `${sourceKey(finding.source)} ${about}`;
      if (!found.has(key)) alarms.add(night);
      found.set(key, finding);
    }
  }
  return { found: [...found.values()], alarms: alarms.size };
}

const SEEDS = Array.from({ length: 16 }, (_, seed) => seed);
const MONTH_OF_NIGHTS = Array.from({ length: MONTH }, (_, night) => LEARNED + night);

describe('what the lake has led to expect', () => {
  it('raises no false alarm in most months, and where holidays look like Sundays less than one a month', async ({
    annotate,
  }) => {
    const alarmsIn = (holidays: number) =>
      SEEDS.map((seed) => nightly(simulate(seed, LEARNED + MONTH, { holidays }), MONTH_OF_NIGHTS).alarms);
    const [plain, withHolidays] = [alarmsIn(0), alarmsIn(1 / 60)];
    const rates = [plain, withHolidays].map((alarms) => sum(alarms, (count) => count) / alarms.length);
    await annotate(`false alarms a month over ${SEEDS.length} months: ${rates.join(' without, and with holidays ')}`);
    expect(Math.max(...plain)).toBeLessThanOrEqual(1);
    expect(rates[0]).toBeLessThanOrEqual(0.1);
    expect(rates[1]).toBeLessThanOrEqual(1);
  });

  it('names a source that stops, the next day', () => {
    let judged = 0;
    for (const seed of SEEDS) {
      const type = TYPES[seed % TYPES.length] ?? '';
      const stoppedOn = LEARNED + (seed % 7);
      const stopped = {
        type,
        platform: 'LINUX',
        fromMs: (FIRST_DAY + stoppedOn) * MS_PER_DAY + (seed % 24) * MS_PER_HOUR,
      };
      const whole = simulate(seed, LEARNED + 10);
      const volume = simulate(seed, LEARNED + 10, { stopped });
      const usual = [...whole.values()].slice(0, LEARNED).map((sources) => {
        const hours = sources.find((source) => source.type === type && source.platform === 'LINUX')?.hours ?? [];
        return hours.reduce((sum, count) => sum + count, 0);
      });
      // Of a source that brings fewer than 100 events on its quietest day nothing can be said so soon.
      if (Math.min(...usual) < 100) continue;
      judged += 1;
      const { found } = nightly(volume, [stoppedOn + 2]);
      expect(found, `seed ${seed}`).toContainEqual(
        expect.objectContaining({ kind: 'silent', source: { type, platform: 'LINUX' } }),
      );
    }
    expect(judged).toBeGreaterThan(5);
  });
});

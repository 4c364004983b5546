import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Dataset, isoInstant, MS_PER_DAY, MS_PER_HOUR } from '@edrlake/core';
import { DEFAULT_DATASET } from '@edrlake/datasets';
import { examineLake, type LakeDamage, type ObjectLake } from '@edrlake/lake';
import type { Services } from '../run/types.ts';
import { type CheckResult, ok } from './check-result.ts';

/**
 * Reports everything in a lake that is not as edrlake leaves it, with its meaning and the command that repairs it. A
 * lake without damage has one finding that says so. Reads all data files, or a sample of them; changes nothing, needs
 * no network.
 * @param directory of the lake, absolute
 * @throws {EdrlakeError} `LAKE_MISSING`
 */
export async function examineEdrLake(
  directory: string,
  {
    dataset = DEFAULT_DATASET,
    ...options
  }: {
    readonly dataset?: Dataset;
    readonly memoryLimit?: string;
    readonly reads: 'all' | 'sample';
    readonly objects?: ObjectLake;
  },
  { clock }: Pick<Services, 'clock'>,
): Promise<readonly CheckResult[]> {
  const damages = await examineLake({ directory, dataset, clock, ...options });
  const lake = options.objects?.address.text ?? directory;
  const runs = join(directory, '_runs');
  const found = [
    ...damages,
    ...(await examineFollowing(runs, clock.nowMs())),
    ...(await examineBudgets(runs, clock.nowMs())),
  ];
  const sampled = ok(
    'lake content',
    'log, index and a sample of the data files are as they were committed, the others there in their size; ' +
      `edrlake doctor --lake ${lake} reads all`,
  );
  const whole = ok('lake content', 'every file of the newest version is there as it was committed');
  if (found.length === 0) return [options.reads === 'all' ? whole : sampled];
  return found.map((damage) => findingOf(damage, lake));
}

function findingOf({ part, found, means, command, isOlder }: LakeDamage, lake: string): CheckResult {
  const isOurs = command?.startsWith('edrlake ');
  const advice = command === null ? null : isOurs ? `${command} --lake ${lake}` : `In ${lake}: ${command}`;
  return { name: `lake ${part}`, status: isOlder ? 'warn' : 'fail', found: `${found}. ${means}`, advice };
}

/** Each request makes a version of the limiter state, so that no lake comes near this number. */
const LAST_VERSION = 900_000_000_000;

/** The beginning of the sync: in the future, it would skip all events until then. */
async function examineFollowing(runs: string, nowMs: number): Promise<LakeDamage[]> {
  const path = '_runs/follow.json';
  const text = await readFile(join(runs, 'follow.json'), 'utf8').catch(() => null);
  if (text === null) return [];
  const found = parsed(text);
  if (found === null || !Object.values(found).every((value) => typeof value === 'number')) {
    return [
      {
        ...{ part: 'watermark', found: `${path} cannot be understood`, command: `rm ${path}`, paths: [path] },
        means: 'sync cannot know where following began. Delete it, and give --since once: what is proven stays proven.',
      },
    ];
  }
  const ahead = Object.values(found).filter((value) => Number(value) > nowMs + MS_PER_HOUR);
  return ahead.map((value) => ({
    ...{ part: 'watermark', found: `${path} says that following begins at ${instant(Number(value))}`, paths: [path] },
    means: 'That is ahead of now: a clock was wrong. Begin again where the lake should be complete from.',
    command: 'edrlake sync --since DAY',
  }));
}

/** State of the shared limiter: its times must not keep commands waiting for long. */
async function examineBudgets(runs: string, nowMs: number): Promise<LakeDamage[]> {
  const damages: LakeDamage[] = [];
  const folders = (await readdir(runs).catch(() => [])).filter((name) => name.startsWith('budget-'));
  for (const folder of folders) {
    const names = (await readdir(join(runs, folder)).catch(() => [])).filter((name) => /^\d{12}\.json$/.test(name));
    for (const name of names) {
      const path = `_runs/${folder}/${name}`;
      const account = parsed((await readFile(join(runs, folder, name), 'utf8').catch(() => null)) ?? 'null')?.account;
      const { blockedUntilMs = 0, lastNowMs = 0 } = (account ?? {}) as Readonly<Record<string, number | undefined>>;
      const latestMs = Math.max(Number(blockedUntilMs), Number(lastNowMs));
      const isAccount = typeof account === 'object' && account !== null;
      const isLast = Number(name.slice(0, -'.json'.length)) > LAST_VERSION;
      if (isAccount && !isLast && !(latestMs > nowMs + MS_PER_DAY)) continue;
      const waits = isAccount ? `waits until ${instant(latestMs)}` : 'cannot be read';
      const what = isLast ? 'leaves no number for a next one' : waits;
      damages.push({
        ...{ part: 'budget', found: `${path} ${what}`, command: `rm -r _runs/${folder}`, paths: [path] },
        means: 'It counts requests. Without it the next command learns the limit from the gateway again.',
      });
    }
  }
  return damages;
}

function parsed(text: string): Readonly<Record<string, unknown>> | null {
  try {
    const found: unknown = JSON.parse(text);
    return typeof found === 'object' && found !== null ? (found as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

function instant(epochMs: number): string {
  return Number.isFinite(epochMs) && Math.abs(epochMs) < 8.64e15 ? isoInstant(epochMs) : String(epochMs);
}

import { join } from 'node:path';
import { type Spread, spreadOf } from '../figures/spread.ts';
import type { Target } from '../figures/targets.ts';
import { numberText, spreadText, tableText } from '../figures/text.ts';
import { onlyRecorded, type Stage } from './stage.ts';

/** The cost of commands on a lake that already has everything. */
export interface DoneAgain {
  /** Wall time over that of the first run. */
  readonly rerunShare: Spread;
  readonly rerunSeconds: Spread;
  readonly rerunRequests: number;
  readonly rerunPages: number;
  readonly syncSeconds: Spread;
  readonly syncPages: number;
}

const TIMES = 3;

/**
 * Runs the same backfill again on the lake of the last round, and then syncs that find nothing.
 * @param firstSeconds the time of the first run
 */
export async function doAgain(stage: Stage, firstSeconds: number): Promise<DoneAgain> {
  const lake = join(stage.folder, 'edrlake');
  const reruns = [];
  for (let time = 0; time < TIMES; time += 1) {
    reruns.push(
      await onlyRecorded(
        stage,
        async () => {},
        () => stage.edrlake(['backfill', ...stage.range], lake),
      ),
    );
  }
  // No event is processed after this day. A sync ends now, so its queries differ each time and no recording has them.
  const words = ['sync', '--since', '2026-01-01'];
  await stage.gateway.take(false);
  await stage.edrlake(words, lake);
  const syncs = [];
  let syncPages = 0;
  for (let time = 0; time < TIMES; time += 1) {
    await stage.gateway.take(false);
    syncs.push(await stage.edrlake(words, lake));
    syncPages += (await stage.gateway.take(true)).pages.length;
  }
  const rerunSeconds = reruns.map(({ run }) => run.wallSeconds);
  return {
    rerunShare: spreadOf(rerunSeconds.map((seconds) => seconds / firstSeconds)),
    rerunSeconds: spreadOf(rerunSeconds),
    rerunRequests: Math.max(...reruns.map(({ served }) => served.logins + served.others + served.pages.length)),
    rerunPages: Math.max(...reruns.map(({ served }) => served.pages.length)),
    syncSeconds: spreadOf(syncs.map(({ wallSeconds }) => wallSeconds)),
    syncPages,
  };
}

/** Two lines to print. */
export function doneAgainText(again: DoneAgain): string {
  return tableText(
    ['again', 'wall s', 'requests', 'pages'],
    [
      [
        'backfill of the same range',
        spreadText(again.rerunSeconds),
        numberText(again.rerunRequests),
        numberText(again.rerunPages),
      ],
      ['sync that finds nothing', spreadText(again.syncSeconds), '', numberText(again.syncPages)],
    ],
  );
}

/** The targets for repeated commands. */
export function doneAgainTargets(again: DoneAgain, events: number): Target[] {
  const size = `at ${numberText(events)}`;
  return [
    {
      name: `re-run / first run ${size}`,
      measured: again.rerunShare.median * 100,
      bound: 'at most',
      limit: 5,
      unit: '%',
      reason: 'a run that finds everything there is start-up, reading the log and four requests, 0.3 s at any size.',
    },
    { name: `pages asked for again ${size}`, measured: again.rerunPages, bound: 'at most', limit: 0, unit: '' },
    {
      name: `sync that finds nothing ${size}`,
      measured: again.syncSeconds.median,
      bound: 'at most',
      limit: 1,
      unit: 's',
    },
  ];
}

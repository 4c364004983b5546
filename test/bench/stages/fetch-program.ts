import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type FetchedWindow, NO_FILTER } from '@edrlake/core';
import { QUALYS_EDR } from '@edrlake/datasets';
import { recordShapeOf } from '@edrlake/flattener';
import { fetchWindows, isFailedWindow, planWindows, removeWindow } from '@edrlake/pager';
import { report, timed } from './own-time.ts';
import { connectTo, readOrder, SERVICES, type StageOrder } from './stage-order.ts';

// Plans a range and spools its pages: scanned, counted, synced. Planning is not timed.

/** The options of this program. */
interface FetchOrder extends StageOrder {
  /**
   * Keep the pages, and describe the windows in `folder/windows.json`; otherwise each window is removed when it is
   * complete.
   */
  readonly keep: boolean;
}

const order = readOrder<FetchOrder>();
const connection = connectTo(order);
const { source } = connection;
const plan = await planWindows(source, { axis: 'event', range: order.range, scope: NO_FILTER }, SERVICES);
const spoolDirectory = join(order.folder, 'spool');
const windows: FetchedWindow[] = [];
const { seconds, cpuSeconds } = await timed(async () => {
  const options = {
    spoolDirectory,
    shape: recordShapeOf(QUALYS_EDR),
    concurrency: order.concurrency,
    maxSpooledBytes: 64 * 1024 * 1024,
  };
  for await (const window of fetchWindows(source, plan.windows, { ...options, ...SERVICES })) {
    if (isFailedWindow(window)) throw window.error;
    windows.push(window);
    if (!order.keep) await removeWindow(spoolDirectory, window.window.id);
  }
});
await connection.close();
if (order.keep) await writeFile(join(order.folder, 'windows.json'), JSON.stringify(windows));
const sum = (value: (window: FetchedWindow) => number) => windows.reduce((total, window) => total + value(window), 0);
report({
  seconds,
  cpuSeconds,
  events: sum((window) => window.recordCount),
  textBytes: sum((window) => window.bodyBytes),
});

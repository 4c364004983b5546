import type { FetchedWindow } from '@edrlake/core';
import { type FailedWindow, isFailedWindow } from '@edrlake/pager';

/** Windows that are flattened and committed together. */
export interface WindowBatch {
  readonly windows: readonly FetchedWindow[];
  readonly failed: readonly FailedWindow[];
}

/**
 * Groups windows in the order they arrive into batches of about `batchBytes` of spooled pages. A batch holds at least one
 * window, so one window larger than that is a batch of its own; nothing is held back when the stream ends.
 */
export async function* inBatches(
  fetched: AsyncIterable<FetchedWindow | FailedWindow>,
  batchBytes: number,
): AsyncGenerator<WindowBatch> {
  let windows: FetchedWindow[] = [];
  let failed: FailedWindow[] = [];
  let bytes = 0;
  for await (const window of fetched) {
    if (isFailedWindow(window)) {
      failed.push(window);
      continue;
    }
    if (windows.length > 0 && bytes + window.bodyBytes > batchBytes) {
      yield { windows, failed };
      windows = [];
      failed = [];
      bytes = 0;
    }
    windows.push(window);
    bytes += window.bodyBytes;
  }
  if (windows.length > 0 || failed.length > 0) yield { windows, failed };
}

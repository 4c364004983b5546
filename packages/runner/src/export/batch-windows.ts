import { type EdrlakeError, type FetchedWindow, toEdrlakeError } from '@edrlake/core';
import { type FailedWindow, isFailedWindow } from '@edrlake/pager';

/** Windows that are flattened and committed together. */
export interface WindowBatch {
  readonly windows: readonly FetchedWindow[];
  readonly failed: readonly FailedWindow[];
}

/**
 * Groups windows in the order they arrive into batches of about `batchBytes` of spooled pages. A batch holds at least one
 * window, so one window larger than that is a batch of its own; nothing is held back when the stream ends. Where it ends with
 * an error, what came before is the last batch, unless the caller has given up or the disk refuses.
 * @throws {EdrlakeError} what the stream ends with
 */
export async function* batchWindows(
  fetched: AsyncIterable<FetchedWindow | FailedWindow>,
  batchBytes: number,
  signal: AbortSignal,
): AsyncGenerator<WindowBatch> {
  let windows: FetchedWindow[] = [];
  let failed: FailedWindow[] = [];
  let bytes = 0;
  let end: EdrlakeError | null = null;
  try {
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
  } catch (thrown) {
    end = toEdrlakeError(thrown);
    if (signal.aborted || end.code === 'LAKE_UNWRITABLE') throw end;
  }
  if (windows.length > 0 || failed.length > 0) yield { windows, failed };
  if (end !== null) throw end;
}

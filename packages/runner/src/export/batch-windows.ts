import { type EdrlakeError, type FetchedWindow, toEdrlakeError } from '@edrlake/core';
import { type FailedWindow, isFailedWindow } from '@edrlake/pager';

/** Windows that are flattened and committed together. */
export interface WindowBatch {
  /** Among them the pages that came of failed windows, which are `incomplete`. */
  readonly windows: readonly FetchedWindow[];
  readonly failed: readonly FailedWindow[];
}

/**
 * Groups windows in the order of their arrival into batches of about `batchBytes` of spooled pages. A batch has at
 * least one window, so a larger window is a batch of its own. The last batch is what remains when the stream ends.
 * After an error the windows before it are the last batch, unless the run was aborted or the disk refuses.
 * @throws {EdrlakeError} the error that ends the stream
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
      const came = isFailedWindow(window) ? window.partial : window;
      if (windows.length > 0 && bytes + (came?.bodyBytes ?? 0) > batchBytes) {
        yield { windows, failed };
        windows = [];
        failed = [];
        bytes = 0;
      }
      if (isFailedWindow(window)) failed.push(window);
      // The pages of a failed window are committed without a proof.
      if (came === null || (came.verdict === 'incomplete' && came.recordCount === 0)) continue;
      windows.push(came);
      bytes += came.bodyBytes;
    }
  } catch (thrown) {
    end = toEdrlakeError(thrown);
    if (signal.aborted || end.code === 'LAKE_UNWRITABLE') throw end;
  }
  if (windows.length > 0 || failed.length > 0) yield { windows, failed };
  if (end !== null) throw end;
}

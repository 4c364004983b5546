import type { EdrlakeError, Emit, FetchedWindow, PlannedWindow } from '@edrlake/core';

/** A window that could not be fetched. Its spooled pages stay, so that a later run can continue from there. */
export interface FailedWindow extends PlannedWindow {
  readonly verdict: 'failed';
  readonly error: EdrlakeError;
  /** The pages that came, which prove nothing; null for none. Their verdict is `incomplete`. */
  readonly partial: FetchedWindow | null;
}

/** Distinguishes the two outcomes of a window. */
export function isFailedWindow(window: FetchedWindow | FailedWindow): window is FailedWindow {
  return window.verdict === 'failed';
}

/** A window that failed, which is said at once. */
export function failedWindow(
  { emit }: { readonly emit: Emit },
  { window, count }: PlannedWindow,
  error: EdrlakeError,
  partial: FetchedWindow | null,
): FailedWindow {
  emit({ type: 'window-failed', windowId: window.id, range: window.range, code: error.code, message: error.message });
  return { window, count, verdict: 'failed', error, partial };
}

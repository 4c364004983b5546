import { join } from 'node:path';
import { EdrlakeError, MS_PER_SECOND } from '@edrlake/core';
import { runsFingerprint } from '@edrlake/runner/history';
import type { PageContext } from '../data/page-context.ts';

/** How often the lake is looked at while a page is open. */
const LOOK_MS = MS_PER_SECOND;
/** A sign of life for proxies in between, after this number of looks. */
const BEAT_LOOKS = 15;
const MOST_WATCHERS = 32;

/** Sends open pages that a run went on or the lake has a new version. */
export interface Live {
  /** @throws {EdrlakeError} `USAGE` where too many watch already */
  stream(signal: AbortSignal): ReadableStream<Uint8Array>;
}

/**
 * Looks at the journals and the log while there is a watcher: file systems of networks report no changes.
 * @param stopped ends all streams
 */
export function createLive({ lake, clock }: PageContext, stopped: AbortSignal): Live {
  const watchers = new Set<ReadableStreamDefaultController<Uint8Array>>();
  let isLooking = false;
  const tell = (text: string, to: Iterable<ReadableStreamDefaultController<Uint8Array>> = watchers) => {
    const bytes = new TextEncoder().encode(text);
    for (const watcher of to) {
      // A reader that takes nothing must not fill memory: it reads all anew when it takes the next message.
      if ((watcher.desiredSize ?? 0) > 0) watcher.enqueue(bytes);
    }
  };
  const state = async () => {
    const runs = await runsFingerprint(join(lake.directory, '_runs'));
    const { version, commitId } = await lake.snapshot();
    return { runs, version, commit: `${version} ${commitId}` };
  };
  const look = async () => {
    let last: Awaited<ReturnType<typeof state>> | null = null;
    for (let looks = 1; watchers.size > 0 && !stopped.aborted; looks += 1) {
      // A look that fails, such as over a network that is gone for a moment, is made again.
      const now = await state().catch(() => last);
      if (now !== null && last !== null && (now.runs !== last.runs || now.commit !== last.commit)) {
        tell(`event: change\ndata: ${JSON.stringify({ version: now.version, runs: now.runs !== last.runs })}\n\n`);
      } else if (looks % BEAT_LOOKS === 0) tell(': beat\n\n');
      last = now;
      await clock.sleep(LOOK_MS, stopped).catch(() => undefined);
    }
    isLooking = false;
  };
  stopped.addEventListener('abort', () => {
    for (const watcher of watchers) watcher.close();
    watchers.clear();
  });
  return {
    stream(signal) {
      if (watchers.size >= MOST_WATCHERS) {
        throw new EdrlakeError('USAGE', `${MOST_WATCHERS} pages are open already`, { hint: 'Close one of them.' });
      }
      let own: ReadableStreamDefaultController<Uint8Array> | null = null;
      const leave = () => {
        if (own !== null && watchers.delete(own)) own.close();
      };
      signal.addEventListener('abort', leave, { once: true });
      return new ReadableStream<Uint8Array>(
        {
          start(controller) {
            own = controller;
            watchers.add(controller);
            tell('retry: 2000\n\n', [controller]);
            if (isLooking) return;
            isLooking = true;
            void look();
          },
          cancel: () => {
            if (own !== null) watchers.delete(own);
          },
        },
        { highWaterMark: 64 },
      );
    },
  };
}

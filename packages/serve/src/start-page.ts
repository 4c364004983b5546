import { EdrlakeError } from '@edrlake/core';
import type { PageContext } from './data/page-context.ts';
import { createApp } from './http/app.ts';
import { readAssets } from './http/assets.ts';
import { type Listening, listen } from './http/listen.ts';
import { createLive } from './http/live.ts';

/** How the page is served. */
export interface PageOptions extends PageContext {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Needed on an address that other machines reach. */
  readonly token: string | null;
}

/**
 * Serves the page over a lake until it is closed, which ends all streams and questions.
 * @throws {EdrlakeError} `USAGE` for an address without a token that other machines reach, or a port that is taken
 */
export async function startPage({ host, port, token, ...page }: PageOptions): Promise<Listening> {
  const stop = new AbortController();
  const assets = await readAssets();
  const live = createLive(page, stop.signal);
  const admission = { host, token };
  const app = createApp({ page, admission, assets, live, stopped: stop.signal });
  const { url, close } = await listen(app, admission, port);
  return {
    url,
    close: () => {
      stop.abort(new EdrlakeError('INTERRUPTED', 'the page is being closed'));
      return close();
    },
  };
}

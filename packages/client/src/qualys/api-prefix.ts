import { EdrlakeError, unlessAborted } from '@edrlake/core';

/** Of newer platforms, and of all. */
const [NEWER, USUAL] = ['/ioc/v1', '/ioc'] as const;

/** What a gateway answers to a path that it does not have. */
const MISSING_STATUSES: ReadonlySet<unknown> = new Set([404, 405, 501]);

/** The path before `/events`. */
export interface ApiPrefix {
  /** null while it has to be found. */
  known(): string | null;
  /**
   * Sends a request below the prefix. While that has to be found, one request after the other: the first that the newer
   * path answers, or that only the usual one answers, decides for all later ones, so that finding it costs no request
   * on a newer platform and one on others.
   * @throws what `send` throws, or the signal's reason
   */
  use<T>(send: (prefix: string) => Promise<T>, signal: AbortSignal): Promise<T>;
}

/** @param setting a path such as `/ioc`, or `auto` @throws {EdrlakeError} `CONFIG_INVALID` */
export function openApiPrefix(setting: string): ApiPrefix {
  let known = setting === 'auto' ? null : normalised(setting);
  let turn: Promise<unknown> = Promise.resolve();

  async function find<T>(send: (prefix: string) => Promise<T>): Promise<T> {
    if (known !== null) return send(known);
    try {
      const answer = await send(NEWER);
      known = NEWER;
      return answer;
    } catch (thrown) {
      if (!(thrown instanceof EdrlakeError) || !MISSING_STATUSES.has(thrown.context.status)) throw thrown;
    }
    const answer = await send(USUAL);
    known = USUAL;
    return answer;
  }

  return {
    known: () => known,
    async use(send, signal) {
      if (known !== null) return send(known);
      const mine = turn.then(() => {
        signal.throwIfAborted();
        return find(send);
      });
      turn = mine.catch(() => undefined);
      return unlessAborted(mine, signal);
    },
  };
}

function normalised(prefix: string): string {
  const trimmed = prefix.replace(/\/+$/, '');
  const path = trimmed.startsWith('/') ? trimmed : `/${trimmed}`;
  if (/^(\/[\w-]+)+$/.test(path)) return path;
  throw new EdrlakeError(
    'CONFIG_INVALID',
    `apiPrefix: expected auto or a path such as /ioc or /ioc/v1, found "${prefix}"`,
  );
}

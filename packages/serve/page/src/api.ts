import { useEffect, useState } from 'preact/hooks';

/** What the server says went wrong. */
export class Refused extends Error {
  readonly code: string;
  readonly hint: string | null;

  constructor({ code, message, hint }: { code: string; message: string; hint?: string | null }) {
    super(message);
    this.code = code;
    this.hint = hint ?? null;
  }
}

/** @throws {Refused} */
export async function ask<T>(path: string, init: RequestInit = {}): Promise<T> {
  const response = await fetch(path, { credentials: 'same-origin', ...init }).catch((thrown: unknown) => {
    if (init.signal?.aborted) throw thrown;
    throw new Refused({
      code: 'GONE',
      message: 'The server does not answer.',
      hint: 'Is edrlake serve still running?',
    });
  });
  const body = await response.json().catch(() => null);
  if (response.ok && body !== null) return body as T;
  throw new Refused(body?.error ?? { code: String(response.status), message: response.statusText });
}

/** What is loaded, or why it is not. Keeps what it has while it loads anew. */
export interface Loaded<T> {
  readonly data: T | null;
  readonly refused: Refused | null;
}

/** Loads again whenever the path or `turn` changes. */
export function useLoaded<T>(path: string, turn: number): Loaded<T> {
  const [state, setState] = useState<Loaded<T> & { readonly path: string }>({ path, data: null, refused: null });
  useEffect(() => {
    const abort = new AbortController();
    ask<T>(path, { signal: abort.signal }).then(
      (data) => setState({ path, data, refused: null }),
      (thrown) => {
        if (abort.signal.aborted) return;
        setState((old) => ({ path, data: old.path === path ? old.data : null, refused: asRefused(thrown) }));
      },
    );
    return () => abort.abort();
  }, [path, turn]);
  return state.path === path ? state : { data: null, refused: null };
}

/** An answer of the server, or a fault of the page itself, as what the page shows. */
export function asRefused(thrown: unknown): Refused {
  return thrown instanceof Refused ? thrown : new Refused({ code: 'PAGE', message: String(thrown) });
}

/** Counts changes of the lake as the server reports them; the first value is 0. */
export function useChanges(): { readonly turn: number; readonly isLive: boolean } {
  const [turn, setTurn] = useState(0);
  const [isLive, setIsLive] = useState(false);
  useEffect(() => {
    const source = new EventSource('/api/live');
    source.onopen = () => setIsLive(true);
    source.onerror = () => setIsLive(false);
    source.addEventListener('change', () => setTurn((value) => value + 1));
    return () => source.close();
  }, []);
  return { turn, isLive };
}

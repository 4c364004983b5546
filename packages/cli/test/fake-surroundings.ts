import { Readable, Writable } from 'node:stream';
import { type Clock, seededRandom } from '@edrlake/core';
import type { ProcessContext } from '../src/process/process-context.ts';

/** A stream in place of a terminal or a file. It keeps what was written. */
export class TextBuffer extends Writable {
  readonly isTTY: boolean;
  readonly columns: number | undefined;
  readonly writes: string[] = [];

  constructor(options: { readonly isTTY?: boolean; readonly columns?: number } = {}) {
    super({ decodeStrings: false });
    this.isTTY = options.isTTY ?? false;
    this.columns = options.columns;
  }

  get text(): string {
    return this.writes.join('');
  }

  override _write(chunk: string | Buffer, _encoding: string, done: () => void): void {
    this.writes.push(chunk.toString());
    done();
  }
}

/** A clock that moves only by `advance`. */
export function handClock(startMs: number): Clock & { advance(ms: number): void } {
  let nowMs = startMs;
  return {
    nowMs: () => nowMs,
    sleep: async () => {},
    advance: (ms) => {
      nowMs += ms;
    },
  };
}

export interface FakeSurroundings extends ProcessContext {
  readonly stdout: TextBuffer;
  readonly stderr: TextBuffer;
}

export function fakeSurroundings(options: Partial<ProcessContext> = {}): FakeSurroundings {
  return {
    env: {},
    workingDirectory: '/nonexistent-directory',
    stdin: Readable.from([]),
    clock: handClock(Date.UTC(2026, 0, 1)),
    random: seededRandom(1),
    signal: new AbortController().signal,
    version: '0.0.0',
    selfCommand: ['edrlake'],
    spawnChild: () => {
      throw new Error('no child expected');
    },
    ...options,
    stdout: new TextBuffer(),
    stderr: new TextBuffer(),
  };
}

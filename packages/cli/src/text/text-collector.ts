import { Writable } from 'node:stream';

/** A stream that keeps what is written to it. */
export class TextCollector extends Writable {
  readonly #pieces: string[] = [];

  /** Everything written so far. */
  get text(): string {
    return this.#pieces.join('');
  }

  override _write(piece: string | Uint8Array, _encoding: string, done: () => void): void {
    this.#pieces.push(typeof piece === 'string' ? piece : Buffer.from(piece).toString('utf8'));
    done();
  }
}

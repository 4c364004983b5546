import { Writable } from 'node:stream';
import type { TextSink } from '../process/process-context.ts';

/** Narrower than a terminal, so that a labelled line still fits. */
const NARROWEST = 40;

/**
 * A stream whose lines begin with a label in another stream, so that each says which subscription it is about.
 * It is no terminal: a live display would move the cursor over what others have said. Back-pressure is passed on.
 */
export class LabelledSink extends Writable implements TextSink {
  readonly isTTY = false;
  readonly columns: number | undefined;
  readonly #out: TextSink;
  readonly #label: string;
  #isAtStart = true;

  /** @param columns of a line in the other stream */
  constructor(out: TextSink, label: string, columns: number) {
    super({ decodeStrings: false });
    this.#out = out;
    this.#label = label;
    this.columns = Math.max(NARROWEST, columns - label.length);
  }

  override _write(chunk: string | Uint8Array, _encoding: string, done: () => void): void {
    const text = typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString('utf8');
    const lines = text.split('\n');
    const labelled = lines.map((line, index) => {
      const begins = (index > 0 || this.#isAtStart) && !(index === lines.length - 1 && line === '');
      return begins ? `${this.#label}${line}` : line;
    });
    this.#isAtStart = text === '' ? this.#isAtStart : text.endsWith('\n');
    if (this.#out.write(labelled.join('\n')) || (this.#out as { readonly destroyed?: boolean }).destroyed === true) {
      done();
      return;
    }
    const settle = () => {
      this.#out.off('drain', settle);
      this.#out.off('error', settle);
      done();
    };
    this.#out.on('drain', settle);
    this.#out.on('error', settle);
  }
}

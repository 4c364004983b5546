import { SPOOL_BROKEN, SPOOL_MEMBERS } from '@edrlake/core';
import type { FieldSection } from './field-table.ts';
import type { ElementExtra } from './record-scanner.ts';

const ODD_BEGIN = Buffer.from(`{"${SPOOL_MEMBERS.irregular}":"`);
const EXTRA_BEGIN = Buffer.from(`,"${SPOOL_MEMBERS.extra}":`);

const FEW_BYTES = 64;

/** The members of a record that no column takes. */
export interface CollectedExtra {
  readonly root: FieldSection;
  /** In the order of their positions. */
  readonly elements: readonly ElementExtra[];
}

/** Lines on their way to the spool, in one buffer that is reused. It grows to twice the largest record. */
export interface LineBuffer {
  /** A record, unchanged. */
  plain(bytes: Buffer, from: number, to: number): void;
  /** A record with the collected members as its extra. */
  withExtra(bytes: Buffer, from: number, to: number, extra: CollectedExtra): void;
  /** The text of a record, as a string. */
  irregular(bytes: Buffer, from: number, to: number): void;
  /** A finished line. */
  made(line: Buffer): void;
  /** Removes everything after a number of bytes. */
  shorten(byteLength: number): void;
  readonly byteLength: number;
  /** All lines, until the next `reset`. */
  take(): Buffer;
  /** The memory that it uses now. */
  readonly memory: Buffer;
  reset(): void;
}

/** @param begin to begin with; what it holds is lost */
export function lineBuffer(begin: Buffer): LineBuffer {
  let lines = begin;
  let length = 0;
  const ensure = (more: number) => {
    if (length + more <= lines.length) return;
    const larger = Buffer.allocUnsafe(Math.max(2 * lines.length, length + more));
    lines.copy(larger, 0, 0, length);
    lines = larger;
  };
  const append = (bytes: Buffer, from: number, to: number) => {
    // A copy by the runtime costs as much as copying this number of bytes here.
    if (to - from > FEW_BYTES) length += bytes.copy(lines, length, from, to);
    else for (let at = from; at < to; at++) lines[length++] = bytes[at] as number;
  };
  const byte = (value: number) => {
    lines[length++] = value;
  };
  const appendMembers = (bytes: Buffer, places: readonly number[]) => {
    for (let i = 0; i < places.length; i += 2) {
      if (i > 0) byte(0x2c);
      append(bytes, places[i] as number, places[i + 1] as number);
    }
  };
  const appendExtra = (bytes: Buffer, section: FieldSection) => {
    byte(0x7b);
    appendMembers(bytes, section.extra);
    let isFirst = section.extra.length === 0;
    for (const below of section.subsections) {
      if (!below.hasExtra) continue;
      if (!isFirst) byte(0x2c);
      isFirst = false;
      append(below.key, 0, below.key.length);
      appendExtra(bytes, below);
    }
    byte(0x7d);
  };
  return {
    plain(bytes, from, to) {
      ensure(to - from + 1);
      append(bytes, from, to);
      byte(0x0a);
    },
    withExtra(bytes, from, to, { root, elements }) {
      // The extra is part of the record, except for the names of the sections, which it repeats.
      ensure(2 * (to - from) + (elements.length + 1) * (EXTRA_BEGIN.length + 2));
      let copied = from;
      for (const { endAt, members } of elements) {
        append(bytes, copied, endAt);
        append(EXTRA_BEGIN, 0, EXTRA_BEGIN.length);
        byte(0x7b);
        appendMembers(bytes, members);
        byte(0x7d);
        copied = endAt;
      }
      append(bytes, copied, to - 1);
      if (root.hasExtra) {
        append(EXTRA_BEGIN, 0, EXTRA_BEGIN.length);
        appendExtra(bytes, root);
      }
      byte(0x7d);
      byte(0x0a);
    },
    irregular(bytes, from, to) {
      ensure(2 * (to - from) + ODD_BEGIN.length + 3);
      append(ODD_BEGIN, 0, ODD_BEGIN.length);
      // Only quotes and backslashes need an escape: control characters are already escaped or spaces.
      length += lines.write(bytes.toString('latin1', from, to).replace(/["\\]/g, '\\$&'), length, 'latin1');
      byte(0x22);
      byte(0x7d);
      byte(0x0a);
    },
    made(line) {
      ensure(line.length + 1);
      append(line, 0, line.length);
      byte(0x0a);
    },
    shorten(byteLength) {
      length = byteLength;
    },
    get byteLength() {
      return length;
    },
    take: () => lines.subarray(0, length),
    get memory() {
      return lines;
    },
    reset() {
      length = 0;
    },
  };
}

/**
 * The record of a line that was spooled with a shape, without the line break. The extra of a plain line stays in it, a
 * broken line stays as it is; of a record that could not be read, only the readable members.
 */
export function asDelivered(line: Buffer): Buffer {
  if (!line.subarray(0, ODD_BEGIN.length).equals(ODD_BEGIN)) return line;
  try {
    const { [SPOOL_MEMBERS.irregular]: text } = JSON.parse(line.toString()) as { [SPOOL_MEMBERS.irregular]: string };
    if (!text.startsWith(SPOOL_BROKEN)) return Buffer.from(text);
    const { fields } = JSON.parse(text.slice(SPOOL_BROKEN.length)) as { fields: string };
    return Buffer.from(fields);
  } catch {
    return line;
  }
}

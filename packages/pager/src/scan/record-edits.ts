import { normalPath } from '@edrlake/core';
import type { ScanState } from '../json/scan-state.ts';
import { isNormalPath } from '../json/typed-values.ts';

/** The bytes of the current record that were overwritten in their place. */
export interface RecordEdits {
  readonly state: ScanState;
  /** Position, original byte, position, original byte, … */
  readonly edits: number[];
}

/**
 * Restores the overwritten bytes of the record that was scanned last: when it is irregular, not whole yet, or
 * unreadable.
 */
export function takeBackEdits({ state, edits }: RecordEdits): void {
  for (let i = 0; i < edits.length; i += 2) state.bytes[edits[i] as number] = edits[i + 1] as number;
  edits.length = 0;
}

/** Overwrites a byte. */
export function edit({ state: { bytes }, edits }: RecordEdits, place: number, byte: number): void {
  edits.push(place, bytes[place] as number);
  bytes[place] = byte;
}

/** Renames a member so that no column reads it: blank text has no value. */
export function hide(record: RecordEdits, nameAt: number): void {
  edit(record, nameAt + 1, 0x23);
}

/**
 * Overwrites a string with the normal form of the path that it is, with spaces after it, and returns its end. A path
 * that does not fit in its place makes the record irregular.
 */
export function normalisedPathEnd(record: RecordEdits, at: number, end: number): number {
  const { state } = record;
  const { bytes } = state;
  if (isNormalPath(bytes, at + 1, end - 1)) return end;
  const text = bytes.toString('utf8', at, end);
  const path = JSON.parse(text) as string;
  const normal = normalPath(path);
  if (normal === path) return end;
  const written = Buffer.from(JSON.stringify(normal));
  // Bytes that are not UTF-8 were read as this character: writing it would hide them.
  if (written.length > end - at || text.includes('\ufffd')) {
    state.irregular = true;
    return end;
  }
  for (let i = 0; i < end - at; i++) {
    const byte = written[i] ?? 0x20;
    if (bytes[at + i] !== byte) edit(record, at + i, byte);
  }
  return at + written.length;
}

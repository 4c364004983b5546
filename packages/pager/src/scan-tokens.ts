import { isScalar, SCALAR_BYTE, STRING_STOP } from './json-bytes.ts';
import { appendPart, broken, type RecordOutput, type RecordScan } from './record-scan.ts';
import { stepEscape } from './string-escapes.ts';

/**
 * Where the run of plain string content that starts at `at` ends: at a quote, a backslash, a control character or the
 * end of the chunk. Four bytes at a time, because most bytes of a page are string content: a byte of `word ^ pattern`
 * is zero where the pattern's byte stands, and subtracting 1 (or 0x20) from each byte lets only those (or the control
 * characters) borrow into their top bit. The lowest bit that is set is exact.
 */
export function plainRunEnd(chunk: Buffer, words: DataView, from: number): number {
  let at = from;
  for (const safe = chunk.length - 4; at <= safe; at += 4) {
    const word = words.getInt32(at, true);
    const quote = word ^ 0x22222222;
    const backslash = word ^ 0x5c5c5c5c;
    const stops =
      (((quote - 0x01010101) & ~quote) | ((backslash - 0x01010101) & ~backslash) | ((word - 0x20202020) & ~word)) &
      0x80808080;
    if (stops !== 0) return at + lowestByteSet(stops >>> 7);
  }
  while (at < chunk.length && STRING_STOP[chunk[at] as number] === 0) at++;
  return at;
}

/** 0 to 3: the lowest byte of the word that is 1, where every byte is 0 or 1. */
function lowestByteSet(flags: number): number {
  return (31 - Math.clz32(flags & -flags)) >> 3;
}

/** Lets the held escape have the byte at `at`; returns the next byte to look at. */
export function stepHeldEscape(scan: RecordScan, chunk: Buffer, at: number, output: RecordOutput): number {
  const byte = chunk[at] as number;
  const step = stepEscape(scan.held, byte, (bytes) => appendPart(scan, bytes, 0, bytes.length, output));
  if (step === 'invalid') throw broken(scan, at, 'a valid escape', byte);
  return step === 'not-mine' ? at : at + 1;
}

/** A number or literal from `at` on; returns where it ends. One that reaches the chunk's end is finished by the next. */
export function scanScalar(scan: RecordScan, wanted: boolean, chunk: Buffer, at: number): number {
  let end = at + 1;
  while (end < chunk.length && SCALAR_BYTE[chunk[end] as number] === 1) end++;
  scan.scalarWanted = wanted;
  if (end < chunk.length) {
    endScalar(scan, chunk, at, end, at);
  } else {
    scan.inScalar = true;
    scan.tokenParts.push(Buffer.from(chunk.subarray(at)));
  }
  return end;
}

/** Goes on with a scalar that the last chunk ended in; returns where it ends. */
export function resumeScalar(scan: RecordScan, chunk: Buffer): number {
  let end = 0;
  while (end < chunk.length && SCALAR_BYTE[chunk[end] as number] === 1) end++;
  scan.tokenParts.push(Buffer.from(chunk.subarray(0, end)));
  if (end === chunk.length) return end;
  const whole = Buffer.concat(scan.tokenParts);
  scan.tokenParts.length = 0;
  scan.inScalar = false;
  endScalar(scan, whole, 0, whole.length, end - whole.length);
  return end;
}

function endScalar(scan: RecordScan, bytes: Buffer, from: number, to: number, at: number): void {
  if (!isScalar(bytes, from, to)) {
    throw broken(scan, at, 'a number, true, false or null', bytes[from] as number);
  }
  if (scan.scalarWanted) scan.ids.value(bytes, from, to, 'scalar');
}

/** Whether the field name that ends at `to` is an id field. Most are not, and their length alone tells. */
export function isIdField(scan: RecordScan, chunk: Buffer, from: number, to: number): boolean {
  if (scan.tokenParts.length === 0 && !scan.tokenEscaped && !scan.ids.mayBeField(to - from)) return false;
  return endToken(scan, chunk, from, to, (bytes, start, end) => scan.ids.key(bytes, start, end, scan.tokenEscaped));
}

/** The string that ends at `to` is the value of an id field. */
export function endFieldValue(scan: RecordScan, chunk: Buffer, from: number, to: number): void {
  const kind = scan.tokenEscaped ? 'escaped-string' : 'string';
  endToken(scan, chunk, from, to, (bytes, start, end) => scan.ids.value(bytes, start, end, kind));
}

/** Gives `use` the whole token, also when it began in an earlier chunk. */
function endToken<T>(
  scan: RecordScan,
  chunk: Buffer,
  from: number,
  to: number,
  use: (bytes: Buffer, from: number, to: number) => T,
): T {
  if (scan.tokenParts.length === 0) return use(chunk, from, to);
  const whole = Buffer.concat([...scan.tokenParts, chunk.subarray(0, to)]);
  scan.tokenParts.length = 0;
  return use(whole, 0, whole.length);
}

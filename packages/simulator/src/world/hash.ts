const GOLDEN = 0x9e3779b1;

/**
 * 32 bits that depend on nothing but the three numbers: the only source of variety in the simulator, so that any
 * property of any event can be computed alone, in any order, in any process.
 */
export function draw(seed: number, index: number, salt: number): number {
  let mixed = Math.imul(index ^ seed, GOLDEN) ^ (index >>> 3);
  mixed ^= mixed >>> 16;
  mixed = Math.imul(mixed, 0x21f0aaad) + Math.imul(salt + 1, 0x85ebca6b);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0x735a2d97);
  mixed ^= mixed >>> 16;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return (mixed ^ (mixed >>> 15)) >>> 0;
}

/** `draw` as a number in [0, 1). */
export function unit(seed: number, index: number, salt: number): number {
  return draw(seed, index, salt) / 4_294_967_296;
}

/** The element that a draw selects. @param pool not empty */
export function pick<T>(pool: readonly T[], drawn: number): T {
  return pool[drawn % pool.length] as T;
}

/** The multiplicative inverse of the factor (not even) modulo 2^32, by Newton's iteration. */
function inverse(factor: number): number {
  let guess = factor;
  for (let step = 0; step < 5; step += 1) guess = Math.imul(guess, 2 - Math.imul(factor, guess));
  return guess;
}
const GOLDEN_INVERSE = inverse(GOLDEN);

/** A number below 2^32 that looks random and belongs to this index alone: makes ids unique without storing them. */
export function scramble(index: number): number {
  return Math.imul(index, GOLDEN) >>> 0;
}

/** The index from which a `scramble` was made. */
export function unscramble(scrambled: number): number {
  return Math.imul(scrambled, GOLDEN_INVERSE) >>> 0;
}

const HEX4 = Array.from({ length: 65_536 }, (_, value) => value.toString(16).padStart(4, '0'));

/** Eight lower-case hexadecimal digits of a 32-bit number. */
export function hex8(value: number): string {
  return (HEX4[value >>> 16] as string) + (HEX4[value & 0xffff] as string);
}

/** `words` times eight hexadecimal digits drawn for an index: 8 words make a SHA-256, 4 an MD5. */
export function hexDigest(seed: number, index: number, salt: number, words: number): string {
  let text = '';
  for (let word = 0; word < words; word += 1) text += hex8(draw(seed, index, salt + word));
  return text;
}

/** A UUID in its usual form, drawn for an index; `tail` fixes its last eight digits. */
export function uuidText(seed: number, index: number, salt: number, tail?: number): string {
  const second = draw(seed, index, salt + 1);
  const third = draw(seed, index, salt + 2);
  return (
    `${hex8(draw(seed, index, salt))}-${HEX4[second >>> 16]}-${HEX4[second & 0xffff]}-${HEX4[third >>> 16]}-` +
    `${HEX4[third & 0xffff]}${hex8(tail ?? draw(seed, index, salt + 3))}`
  );
}

import { isIP } from 'node:net';

/** An IP address as a number; IPv4 addresses that are written as IPv6 are IPv4. */
interface Address {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

/** null for a text that is no address. */
function addressIn(text: string): Address | null {
  const plain = text.trim().replace(/%.*$/, '');
  const version = isIP(plain);
  if (version === 4) return { bits: 32, value: numberOf(plain.split('.').map(Number), 8n) };
  if (version === 0) return null;
  const groups = groupsOf(plain);
  const value = numberOf(groups, 16n);
  return value >> 32n === 0xffffn ? { bits: 32, value: value & 0xffffffffn } : { bits: 128, value };
}

function numberOf(parts: readonly number[], bits: bigint): bigint {
  return parts.reduce((value, part) => (value << bits) | BigInt(part), 0n);
}

/** The eight groups of an IPv6 address in any valid spelling. */
function groupsOf(text: string): number[] {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const [, head = '', a, b, c, d] = dotted ?? [];
  const pair = (high?: string, low?: string) => ((Number(high) << 8) | Number(low)).toString(16);
  const whole = dotted === null ? text : `${head}${pair(a, b)}:${pair(c, d)}`;
  const [left = '', right] = whole.split('::');
  const parse = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const [before, after] = [parse(left), parse(right ?? '')];
  return [...before, ...Array.from({ length: 8 - before.length - after.length }, () => 0), ...after];
}

/** Finds the networks that hold an address. */
export interface NetworkTable {
  /** Keys of the networks; empty for a text that is no address. */
  holding(text: string): readonly number[];
}

/** @param networks `address/bits`, each with a key; the time of a look-up grows with the number of different lengths */
export function networkTable(networks: readonly { readonly value: string; readonly key: number }[]): NetworkTable {
  const byLength = new Map<string, Map<bigint, number[]>>();
  for (const { value, key } of networks) {
    const [text = '', length = ''] = value.split('/');
    const address = addressIn(text);
    if (address === null) continue;
    // A mapped IPv4 network has its length counted in 128 bits.
    const bits = isIP(text) === 6 && address.bits === 32 ? Number(length) - 96 : Number(length);
    const lengthKey = `${address.bits}/${Math.max(0, bits)}`;
    const ofLength = byLength.get(lengthKey) ?? new Map<bigint, number[]>();
    byLength.set(lengthKey, ofLength);
    const prefix = address.value >> BigInt(address.bits - Math.max(0, bits));
    ofLength.set(prefix, [...(ofLength.get(prefix) ?? []), key]);
  }
  return {
    holding: (text) => {
      const address = addressIn(text);
      if (address === null) return [];
      return [...byLength].flatMap(([lengthKey, ofLength]) => {
        const [width, bits = '0'] = lengthKey.split('/');
        if (Number(width) !== address.bits) return [];
        return ofLength.get(address.value >> BigInt(address.bits - Number(bits))) ?? [];
      });
    },
  };
}

import { hash } from 'node:crypto';

/** What `idHashSql` computes, in this process: the low half of the MD5 of a text, as an unsigned 64-bit integer. */
export function idHash(text: string): bigint {
  return hash('md5', text, 'buffer').readBigUInt64LE(0);
}

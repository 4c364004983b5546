import { describe, expect, test } from 'vitest';
import { objectAddress } from '../src/index.ts';

describe('the address of a lake', () => {
  test('is that of an S3 bucket and a prefix, or none for a folder', () => {
    expect(objectAddress('s3://lake/edr/')).toEqual({ bucket: 'lake', prefix: 'edr', text: 's3://lake/edr' });
    expect(objectAddress('/data/lake')).toBeNull();
    expect(() => objectAddress('s3://lake/../edr')).toThrow(/bucket\/prefix/);
  });

  test.each([
    ['s3://Acme-EDR/Lake/x', /bucket is in lower case, found s3:\/\/Acme-EDR\/Lake\/x/, 's3://acme-edr/Lake/x'],
    ['S3://acme/x', /begins with s3:\/\/ in lower case/, 's3://acme/x'],
  ])('%s is refused for its capitals, with what was meant', (given, why, meant) => {
    expect(() => objectAddress(given)).toThrow(
      expect.objectContaining({
        code: 'USAGE',
        message: expect.stringMatching(why),
        hint: expect.stringContaining(meant),
      }),
    );
  });

  test.each([
    ['gs://lake/edr', /ignores If-None-Match/],
    ['az://lake/edr', /has no S3 interface/],
    ['abfss://lake@account.dfs.core.windows.net/edr', /has no S3 interface/],
    ['ftp://lake/edr', /bucket\/prefix/],
  ])('%s is refused, with what to do instead', (given, why) => {
    expect(() => objectAddress(given)).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringMatching(why), hint: expect.any(String) }),
    );
  });
});

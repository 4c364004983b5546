import { type ObjectAddress, objectAddress } from '@edrlake/core';
import type { ObjectLake } from '../src/index.ts';

/** The address of the lake that most tests use. */
export const ADDRESS = objectAddress('s3://lake/edr') as ObjectAddress;

/** Credentials that the servers of the tests take. */
export const S3_KEY = { accessKeyId: 'test-key', secretAccessKey: 'test-secret' };

/** How a test reaches the lake on a server: repeated requests follow each other at once. */
export function objectsOn(server: { readonly url: string }, more: Partial<ObjectLake> = {}): ObjectLake {
  const retries = { pause: async () => {}, random: () => 0 };
  return {
    address: ADDRESS,
    s3: { endpoint: server.url, region: 'eu-central-1', credentials: S3_KEY, retries },
    ...more,
  };
}

import { resolve } from 'node:path';
import { defaultWorkFolder, type ObjectAddress, objectAddress } from '@edrlake/core';
import type { S3Settings } from '@edrlake/lake';

/** A prefix of a bucket, and how to reach it. */
export interface BucketPlace {
  readonly address: ObjectAddress;
  readonly s3?: S3Settings;
}

/** Where to publish. */
export interface OcsfPlace {
  /** Absolute path of the folder to publish into; with `objects`, of a folder of this machine for files in progress. */
  readonly directory: string;
  /** Publishes into a bucket. */
  readonly objects?: BucketPlace;
}

/** What a place depends on beside its name. */
export interface PlaceSurroundings {
  readonly workingDirectory: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's home folder. */
  readonly home: string;
  readonly s3?: S3Settings;
}

/** The place that a user names. @param to a folder or `s3://bucket/prefix` @throws {EdrlakeError} `USAGE` */
export function ocsfPlace(to: string, { workingDirectory, env, home, s3 }: PlaceSurroundings): OcsfPlace {
  const address = objectAddress(to, { what: 'a publication', flag: '--to' });
  if (address === null) return { directory: resolve(workingDirectory, to) };
  return { directory: defaultWorkFolder(address, env, home), objects: { address, ...(s3 && { s3 }) } };
}

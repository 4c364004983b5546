import { homedir } from 'node:os';
import { resolve } from 'node:path';
import { defaultWorkFolder, EdrlakeError, objectAddress } from '@edrlake/core';
import type { ReadWay, S3Settings } from '@edrlake/lake';

/** Where a lake is, as `openLake` is given it. */
interface PlaceOptions {
  readonly s3?: S3Settings;
  readonly workDirectory?: string;
  readonly reads?: ReadWay;
  readonly httpfsFile?: string;
}

/**
 * The folder of a lake, or of what this machine keeps of one in an object store.
 * @throws {EdrlakeError} `USAGE` for an address of another kind, and for settings of an object store without one
 */
export function placeOf(place: string, options: PlaceOptions) {
  const { s3, workDirectory, reads = 'auto', httpfsFile } = options;
  const address = objectAddress(place);
  if (address !== null) {
    const directory = resolve(workDirectory ?? defaultWorkFolder(address, {}, homedir()));
    const choice = { way: reads, httpfsFile: httpfsFile === undefined ? null : resolve(httpfsFile) };
    return { directory, objects: { address, ...(s3 && { s3 }), reads: choice } };
  }
  const given = (['s3', 'workDirectory', 'reads', 'httpfsFile'] as const).find((name) => options[name] !== undefined);
  if (given === undefined) return { directory: resolve(place) };
  throw new EdrlakeError('USAGE', `${given} is for lakes in object stores, and ${place} is a folder`, {
    hint: 'Give the address of the lake, such as s3://bucket/prefix.',
  });
}

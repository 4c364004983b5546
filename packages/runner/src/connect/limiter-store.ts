import type { VersionStore } from '@edrlake/client';
import { MS_PER_MINUTE } from '@edrlake/core';
import { mapAtOnce, type ObjectLake, type ObjectStore, openS3, REQUEST_CONCURRENCY } from '@edrlake/lake';

/** The accounts of requests of a lake in an object store. */
const FOLDER = '_requests';

/** A version that was overtaken for this long is known to no process any more. */
const KEPT_MS = 15 * MS_PER_MINUTE;

/** A version that was listed may be removed before it is read; then there are newer ones. */
const MAX_LOOKS = 10;

/**
 * Where the requests of one account are counted, beside a lake in an object store.
 * @param digest of host and user
 * @throws {EdrlakeError} `USAGE` where the client library is not installed
 */
export async function openLimiterStore({ address, s3 }: ObjectLake, digest: string): Promise<VersionStore> {
  const objects = await openS3(address.bucket, s3 ?? {});
  return limiterStore(objects, `${address.prefix === '' ? '' : `${address.prefix}/`}${FOLDER}/${digest}/`);
}

/** @param folder a prefix that ends with a slash, for nothing else */
function limiterStore(objects: ObjectStore, folder: string): VersionStore {
  const keyOf = (version: number) => `${folder}${String(version).padStart(12, '0')}.json`;
  const versionOf = (key: string) => Number(/(\d{12})\.json$/.exec(key)?.[1] ?? 0);
  const listed = async (from: number) => {
    const found = await objects.list(folder, from > 1 ? keyOf(from - 1) : undefined);
    return found.filter(({ key }) => versionOf(key) > 0);
  };
  return {
    async latest(from) {
      for (let look = 0; look < MAX_LOOKS; look += 1) {
        const newest = (await listed(from)).at(-1);
        if (newest === undefined) return null;
        const bytes = await objects.get(newest.key);
        if (bytes !== null) return { version: versionOf(newest.key), text: bytes.toString('utf8') };
      }
      return null;
    },
    async putIfAbsent(version, text) {
      const outcome = await objects.putIfAbsent(keyOf(version), text);
      if (outcome === 'created') return 'put';
      return outcome === 'taken' ? 'taken' : outcome.doubt;
    },
    async removeOld() {
      const all = await listed(0);
      const newestMs = all.at(-1)?.changedAtMs ?? 0;
      const old = all.filter(({ changedAtMs }) => changedAtMs < newestMs - KEPT_MS);
      await mapAtOnce(old, REQUEST_CONCURRENCY, ({ key }) => objects.delete(key));
    },
    close: () => objects.close(),
  };
}

import type { S3Client } from '@aws-sdk/client-s3';
import { type ProxySettings, proxyFor } from '@edrlake/core';
import type { DirectAccess } from '../storage/store.ts';

/** Where a request of the client went, by all rules that it follows: settings, environment, profile, region. */
export interface SentRequest {
  readonly protocol: string;
  readonly hostname: string;
  readonly port?: number | undefined;
  readonly path: string;
}

/** Hears where the requests of a client go. @returns the place of the last one; null before the first */
export function hearRequests({ middlewareStack }: Pick<S3Client, 'middlewareStack'>): () => SentRequest | null {
  let last: SentRequest | null = null;
  middlewareStack.add(
    (next) => (sent) => {
      const { protocol, hostname, port, path } = sent.request as SentRequest;
      last = { protocol, hostname, port, path };
      return next(sent);
    },
    { step: 'finalizeRequest', name: 'edrlakeHearsRequests', priority: 'low' },
  );
  return () => last;
}

/** The server of a bucket, as DuckDB is given it. */
type BucketPlace = Pick<DirectAccess, 'host' | 'isEncrypted' | 'urlStyle'>;

/**
 * @param isInPath the bucket is in the path, although a host may begin with its name
 * @returns null where the address has more than a host and the bucket
 */
export function placeOfBucket(
  { protocol, hostname, port, path }: SentRequest,
  bucket: string,
  isInPath: boolean,
): BucketPlace | null {
  const isEncrypted = protocol === 'https:';
  const host = port === undefined ? hostname : `${hostname}:${port}`;
  if (!isInPath && host.startsWith(`${bucket}.`)) {
    return { host: host.slice(bucket.length + 1), isEncrypted, urlStyle: 'vhost' };
  }
  return `${path}/`.startsWith(`/${bucket}/`) ? { host, isEncrypted, urlStyle: 'path' } : null;
}

/**
 * What another program of this process needs to read the bucket as the client does: the same server, region and
 * credentials, which are resolved anew where they have expired.
 * @param sent a request of the client; null: there was none
 * @returns why it cannot, as the rest of a sentence
 */
export async function directAccess(
  client: S3Client,
  bucket: string,
  { sent, proxy }: { readonly sent: SentRequest | null; readonly proxy?: ProxySettings | null },
): Promise<DirectAccess | string> {
  const place = sent === null ? null : placeOfBucket(sent, bucket, client.config.forcePathStyle === true);
  if (place === null) return 'httpfs cannot be given the address of the object store';
  const through = proxyFor(`${place.isEncrypted ? 'https' : 'http'}://${place.host}/`, proxy);
  if (through !== null) return `requests go through the proxy of ${through.setting}`;
  const found = await client.config.credentials().catch(() => null);
  if (found === null) return 'there are no credentials for the object store';
  return {
    ...place,
    region: await client.config.region(),
    keyId: found.accessKeyId,
    secret: found.secretAccessKey,
    sessionToken: found.sessionToken ?? null,
  };
}

import type { S3Client } from '@aws-sdk/client-s3';
import { type ProxySettings, proxyFor } from '@edrlake/core';
import type { DirectAccess } from '../storage/store.ts';

/** How the client that is asked was made. */
interface ClientSettings {
  readonly endpoint?: string;
  readonly proxy?: ProxySettings | null;
}

/**
 * What another program of this process needs to read the bucket as the client does: the same server, region and
 * credentials, which are resolved anew where they have expired.
 * @returns why it cannot, as the rest of a sentence
 */
export async function directAccess(
  client: S3Client,
  bucket: string,
  { endpoint, proxy }: ClientSettings,
): Promise<DirectAccess | string> {
  const region = await client.config.region();
  const url = new URL(endpoint ?? (await regionalEndpoint(client, region)));
  if (url.pathname !== '/') return 'the address of the object store has a path';
  const through = proxyFor(url.href, proxy);
  if (through !== null) return `requests go through the proxy of ${through.setting}`;
  const found = await client.config.credentials().catch(() => null);
  if (found === null) return 'there are no credentials for the object store';
  return {
    host: url.host,
    isEncrypted: url.protocol === 'https:',
    // The certificate of Amazon's hosts names one label before the service.
    urlStyle: endpoint !== undefined || bucket.includes('.') ? 'path' : 'vhost',
    region,
    keyId: found.accessKeyId,
    secret: found.secretAccessKey,
    sessionToken: found.sessionToken ?? null,
  };
}

/** The address of Amazon's service in a region. */
async function regionalEndpoint({ config }: S3Client, region: string): Promise<string> {
  const [isFips, isDualStack] = await Promise.all([config.useFipsEndpoint(), config.useDualstackEndpoint()]);
  const isChina = region.startsWith('cn-');
  const service = `s3${isFips ? '-fips' : ''}${isDualStack ? '.dualstack' : ''}`;
  return `https://${service}.${region}.amazonaws.com${isChina ? '.cn' : ''}`;
}

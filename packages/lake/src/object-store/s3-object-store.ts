import { createHash, randomInt } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { type FileHandle, open, readFile, stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PutObjectCommandInput, S3Client } from '@aws-sdk/client-s3';
import { EdrlakeError, type ProxySettings, seededRandom, syncPath } from '@edrlake/core';
import { directAccess, hearRequests } from './direct-access.ts';
import type { ListedObject, ObjectStore, OpenUpload, PutOutcome } from './object-store.ts';
import { unreachable } from './object-store.ts';
import { tunnelAgents } from './proxy-tunnels.ts';
import { MAX_CONDITIONAL_ATTEMPTS, pauseBefore, type RetryTools, repeated, triedOnce } from './request-retries.ts';

/** How to reach an S3 bucket. What is not given follows the rules of the AWS tools: environment, profile, role. */
export interface S3Settings {
  /** URL of a server that is not Amazon's. Keys are then in the path, not in the host name. */
  readonly endpoint?: string;
  readonly region?: string;
  readonly credentials?: {
    readonly accessKeyId: string;
    readonly secretAccessKey: string;
    readonly sessionToken?: string;
  };
  /** Server-side encryption of every object: `AES256`, `aws:kms`, or the id or ARN of a KMS key. */
  readonly encryption?: string;
  /** The proxy that https and http connections go through, except where it names the host as one that needs none. */
  readonly proxy?: ProxySettings | null;
  /** Waits and chance of repeated requests; those of the machine unless given. */
  readonly retries?: RetryTools;
}

/** Larger files are uploaded in parts. */
const PART_BYTES = 16 * 1024 * 1024;

/** A request without progress for this long has failed. */
const CONNECT_MS = 5_000;
const IDLE_MS = 20_000;

/** The longest a request without a large body may take. */
const REQUEST_MS = 30_000;

/** The slowest transfer that is taken for progress. */
const BYTES_PER_MS = 50;

type Sdk = typeof import('@aws-sdk/client-s3');

/**
 * Opens an S3 bucket. The client library is loaded now, and only for lakes in object stores.
 * @throws {EdrlakeError} `USAGE` where the library is not installed
 */
export async function openS3(bucket: string, settings: S3Settings): Promise<ObjectStore> {
  const sdk = await loadSdk();
  const client = await newClient(sdk, settings);
  const tools = settings.retries ?? { pause: (ms: number) => sleep(ms), random: seededRandom(randomInt(2 ** 32)) };
  const counted = { requests: 0, sentBytes: 0, receivedBytes: 0 };
  return s3Objects({ sdk, client, bucket, settings, tools, encryption: encryptionOf(settings.encryption), counted });
}

async function loadSdk(): Promise<Sdk> {
  try {
    return await import('@aws-sdk/client-s3');
  } catch (thrown) {
    throw new EdrlakeError('USAGE', 'a lake at s3://… needs the package @aws-sdk/client-s3, which is not installed', {
      cause: thrown,
      hint: 'Install it beside edrlake: npm install @aws-sdk/client-s3@~3.1175.0',
    });
  }
}

async function newClient({ S3Client }: Sdk, { endpoint, region, credentials, proxy }: S3Settings): Promise<S3Client> {
  const config = {
    // Repeating a conditional write needs thought, so that all repeating is done here.
    maxAttempts: 1,
    requestHandler: {
      ...{ connectionTimeout: CONNECT_MS, socketTimeout: IDLE_MS },
      ...(proxy ? tunnelAgents(proxy, CONNECT_MS) : {}),
    },
    ...(endpoint === undefined ? {} : { endpoint, forcePathStyle: true }),
    ...(credentials === undefined ? {} : { credentials }),
  };
  if (region !== undefined) return new S3Client({ ...config, region });
  const client = new S3Client(config);
  try {
    await client.config.region();
    return client;
  } catch {
    client.destroy();
    return new S3Client({ ...config, region: 'us-east-1' });
  }
}

type Encryption = Pick<PutObjectCommandInput, 'ServerSideEncryption' | 'SSEKMSKeyId'>;

function encryptionOf(given: string | undefined): Encryption {
  if (given === undefined) return {};
  if (given === 'AES256' || given === 'aws:kms') return { ServerSideEncryption: given };
  return { ServerSideEncryption: 'aws:kms', SSEKMSKeyId: given };
}

/** What every request works with. */
interface S3Tools {
  readonly sdk: Sdk;
  readonly client: S3Client;
  readonly bucket: string;
  readonly settings: S3Settings;
  readonly tools: RetryTools;
  readonly encryption: Encryption;
  readonly counted: { requests: number; sentBytes: number; receivedBytes: number };
}

type SendOptions = { readonly abortSignal: AbortSignal };

/** Counts a request and bounds its time. @param bytes that it moves, at most */
async function limited<T>(s3: S3Tools, bytes: number, send: (options: SendOptions) => Promise<T>): Promise<T> {
  s3.counted.requests += 1;
  return send({ abortSignal: AbortSignal.timeout(REQUEST_MS + Math.ceil(bytes / BYTES_PER_MS)) });
}

function target({ bucket }: S3Tools, key: string) {
  return { Bucket: bucket, Key: key };
}

/** Names a request in an error. */
function named({ bucket }: S3Tools, verb: string, key: string): string {
  return `${verb} s3://${bucket}/${key}`;
}

function expectValue<T>(what: string, answer: { readonly value: T } | 'absent' | 'taken'): T {
  if (typeof answer === 'object') return answer.value;
  throw unreachable(what, answer === 'absent' ? 'HTTP 404' : 'HTTP 412');
}

/** Repeats a request that moves few bytes. */
async function repeatedSmall<T>(s3: S3Tools, what: string, send: (options: SendOptions) => Promise<T>) {
  return repeated(s3.tools, what, () => limited(s3, 0, send));
}

function s3Objects(s3: S3Tools): ObjectStore {
  const { sdk, client } = s3;
  const lastSent = hearRequests(client);
  return {
    put: async (key, content) => {
      await putBody(s3, key, Buffer.from(content));
    },
    putFile: (key, path) => putFile(s3, key, path),
    putIfAbsent: (key, content) => putIfAbsent(s3, key, Buffer.from(content)),
    get: (key) => getBytes(s3, key),
    getToFile: (key, path) => getToFile(s3, key, path),
    list: (prefix, startAfter) => listAll(s3, prefix, startAfter),
    stat: (key) => statOf(s3, key),
    delete: async (key) => {
      const what = named(s3, 'DELETE', key);
      await repeatedSmall(s3, what, (options) => client.send(new sdk.DeleteObjectCommand(target(s3, key)), options));
    },
    openUploads: (prefix) => listUploads(s3, prefix),
    abortUpload: (upload) => abortUpload(s3, upload),
    traffic: () => ({ ...s3.counted }),
    directAccess: () => directAccess(client, s3.bucket, { sent: lastSent(), proxy: s3.settings.proxy ?? null }),
    close: () => client.destroy(),
  };
}

/** @returns whether the server answered with the MD5 of these bytes: it has them all */
async function putBody(s3: S3Tools, key: string, body: Uint8Array): Promise<boolean> {
  const what = named(s3, 'PUT', key);
  const input = { ...target(s3, key), ...s3.encryption, Body: body, ContentLength: body.length };
  const answer = await repeated(s3.tools, what, () => {
    s3.counted.sentBytes += body.length;
    return limited(s3, body.length, (options) => s3.client.send(new s3.sdk.PutObjectCommand(input), options));
  });
  const { ETag = '' } = expectValue(what, answer);
  return ETag.replaceAll('"', '') === createHash('md5').update(body).digest('hex');
}

async function getBytes(s3: S3Tools, key: string): Promise<Buffer | null> {
  const answer = await repeated(s3.tools, named(s3, 'GET', key), () =>
    limited(s3, PART_BYTES, async (options) => {
      const { Body } = await s3.client.send(new s3.sdk.GetObjectCommand(target(s3, key)), options);
      const bytes = Buffer.from((await Body?.transformToByteArray()) ?? []);
      s3.counted.receivedBytes += bytes.length;
      return bytes;
    }),
  );
  return typeof answer === 'object' ? answer.value : null;
}

async function getToFile(s3: S3Tools, key: string, path: string): Promise<boolean> {
  const answer = await repeated(s3.tools, named(s3, 'GET', key), () =>
    limited(s3, PART_BYTES * 64, async (options) => {
      const { Body } = await s3.client.send(new s3.sdk.GetObjectCommand(target(s3, key)), options);
      const out = createWriteStream(path);
      await pipeline(Body as Readable, out, { signal: options.abortSignal });
      s3.counted.receivedBytes += out.bytesWritten;
    }),
  );
  if (typeof answer !== 'object') return false;
  await syncPath(path);
  return true;
}

/**
 * Decides between two writers, by `If-None-Match: *`. After an answer that is missing, the object itself says who won.
 */
async function putIfAbsent(s3: S3Tools, key: string, body: Buffer): Promise<PutOutcome> {
  const what = named(s3, 'PUT', key);
  const input = { ...target(s3, key), ...s3.encryption, Body: body, ContentLength: body.length, IfNoneMatch: '*' };
  let doubt: EdrlakeError | null = null;
  for (let attempt = 1; ; attempt += 1) {
    s3.counted.sentBytes += body.length;
    const answer = await triedOnce(what, () =>
      limited(s3, body.length, (options) => s3.client.send(new s3.sdk.PutObjectCommand(input), options)),
    );
    if (answer === 'taken' && doubt === null) return 'taken';
    if (typeof answer === 'object' && 'value' in answer) return 'created';
    if (typeof answer === 'object') doubt = answer.doubt;
    // Either this is our own object, of an attempt that was carried out without an answer, or another writer's.
    const found = await getBytes(s3, key).catch((thrown: unknown) => {
      if (thrown instanceof EdrlakeError && thrown.code === 'STORE_UNREACHABLE') return null;
      throw thrown;
    });
    if (found !== null) return found.equals(body) ? 'created' : 'taken';
    if (attempt === MAX_CONDITIONAL_ATTEMPTS) return { doubt: doubt ?? unreachable(what, 'HTTP 412') };
    await pauseBefore(s3.tools, attempt);
  }
}

async function putFile(s3: S3Tools, key: string, path: string): Promise<boolean> {
  const { size } = await stat(path);
  if (size <= PART_BYTES) return putBody(s3, key, await readFile(path));
  const file = await open(path, 'r');
  try {
    await putParts(s3, key, file, size);
    return false;
  } finally {
    await file.close();
  }
}

async function putParts(s3: S3Tools, key: string, file: FileHandle, size: number): Promise<void> {
  const { sdk, client } = s3;
  const what = named(s3, 'PUT', key);
  const input = { ...target(s3, key), ...s3.encryption };
  const begun = await repeatedSmall(s3, what, (options) =>
    client.send(new sdk.CreateMultipartUploadCommand(input), options),
  );
  const upload = { ...target(s3, key), UploadId: expectValue(what, begun).UploadId ?? '' };
  try {
    const Parts: { ETag: string | undefined; PartNumber: number }[] = [];
    for (let first = 0; first < size; first += PART_BYTES) {
      const body = Buffer.allocUnsafe(Math.min(PART_BYTES, size - first));
      await readAll(file, body, first);
      const part = { ...upload, PartNumber: Parts.length + 1, Body: body, ContentLength: body.length };
      const sent = await repeated(s3.tools, what, () => {
        s3.counted.sentBytes += body.length;
        return limited(s3, body.length, (options) => client.send(new sdk.UploadPartCommand(part), options));
      });
      Parts.push({ ETag: expectValue(what, sent).ETag, PartNumber: part.PartNumber });
    }
    const whole = { ...upload, MultipartUpload: { Parts } };
    let isRepeated = false;
    const completed = await repeatedSmall(s3, what, async (options) => {
      // A completion that was carried out without an answer has ended the upload.
      if (isRepeated && (await statOf(s3, key))?.bytes === size) return;
      isRepeated = true;
      await client.send(new sdk.CompleteMultipartUploadCommand(whole), options);
    });
    expectValue(what, completed);
  } catch (thrown) {
    // What remains is found by a vacuum; the first error is the one to report.
    await abortUpload(s3, { key, id: upload.UploadId }).catch(() => undefined);
    throw thrown;
  }
}

async function abortUpload(s3: S3Tools, { key, id }: Pick<OpenUpload, 'key' | 'id'>): Promise<void> {
  const input = { ...target(s3, key), UploadId: id };
  await repeatedSmall(s3, named(s3, 'abort the upload of', key), (options) =>
    s3.client.send(new s3.sdk.AbortMultipartUploadCommand(input), options),
  );
}

async function statOf(s3: S3Tools, key: string): Promise<ListedObject | null> {
  const answer = await repeatedSmall(s3, named(s3, 'HEAD', key), (options) =>
    s3.client.send(new s3.sdk.HeadObjectCommand(target(s3, key)), options),
  );
  if (typeof answer !== 'object') return null;
  const { ContentLength = 0, LastModified } = answer.value;
  return { key, bytes: ContentLength, changedAtMs: wholeSecond(LastModified) };
}

async function listAll(s3: S3Tools, prefix: string, startAfter: string | undefined): Promise<ListedObject[]> {
  const found: ListedObject[] = [];
  const what = named(s3, 'list', prefix);
  const first = { Bucket: s3.bucket, Prefix: prefix, ...(startAfter === undefined ? {} : { StartAfter: startAfter }) };
  for (let token: string | undefined; ; ) {
    const page = token === undefined ? first : { ...first, ContinuationToken: token };
    const answer = await repeatedSmall(s3, what, (options) =>
      s3.client.send(new s3.sdk.ListObjectsV2Command(page), options),
    );
    const { Contents = [], IsTruncated, NextContinuationToken } = expectValue(what, answer);
    for (const { Key = '', Size = 0, LastModified, ETag = '' } of Contents) {
      const etag = ETag.replaceAll('"', '');
      found.push({ key: Key, bytes: Size, changedAtMs: wholeSecond(LastModified), etag });
    }
    if (IsTruncated !== true || NextContinuationToken === undefined) return found;
    token = NextContinuationToken;
  }
}

async function listUploads(s3: S3Tools, prefix: string): Promise<OpenUpload[]> {
  const found: OpenUpload[] = [];
  const what = named(s3, 'list the uploads of', prefix);
  let marker: { readonly KeyMarker?: string; readonly UploadIdMarker?: string } = {};
  for (;;) {
    const input = { Bucket: s3.bucket, Prefix: prefix, ...marker };
    const answer = await repeatedSmall(s3, what, (options) =>
      s3.client.send(new s3.sdk.ListMultipartUploadsCommand(input), options),
    );
    const { Uploads = [], IsTruncated, NextKeyMarker, NextUploadIdMarker } = expectValue(what, answer);
    for (const { Key = '', UploadId = '', Initiated } of Uploads) {
      found.push({ key: Key, id: UploadId, begunAtMs: wholeSecond(Initiated) });
    }
    if (IsTruncated !== true || NextKeyMarker === undefined) return found;
    marker = { KeyMarker: NextKeyMarker, ...(NextUploadIdMarker && { UploadIdMarker: NextUploadIdMarker }) };
  }
}

async function readAll(file: FileHandle, into: Buffer, from: number): Promise<void> {
  for (let read = 0; read < into.length; ) {
    const { bytesRead } = await file.read(into, read, into.length - read, from + read);
    if (bytesRead === 0)
      throw new EdrlakeError('LAKE_UNWRITABLE', 'a staged file became shorter while it was uploaded');
    read += bytesRead;
  }
}

/** Some servers give fractions of a second in a list and none in the answer to HEAD. */
function wholeSecond(time: Date | undefined): number {
  return time === undefined ? 0 : Math.floor(time.getTime() / 1_000) * 1_000;
}

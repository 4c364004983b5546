import { createHash, randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { S3_KEY } from './object-address.ts';

/** One request as the server got it. */
export interface S3Request {
  readonly method: string;
  /** Without the bucket. */
  readonly key: string;
  readonly query: URLSearchParams;
  readonly isConditional: boolean;
  /** The server-side encryption that it asks for; null for none. */
  readonly encryption: string | null;
  readonly body: Buffer;
}

/**
 * What happens to a request instead of its proper answer. `lost`: nothing is done, the connection is reset.
 * `unanswered`: it is done, the connection is reset. A number: an error of that status, and nothing is done.
 * `failed-after`: it is done and answered with 500. `late`: nothing is done before the connection is reset, but
 * when the next request comes it is done first: the network had kept it. `stale-list`: a list lacks the newest objects;
 * nothing happens to other requests.
 */
export type S3Fault = 'lost' | 'unanswered' | 'failed-after' | 'late' | 'stale-list' | 500 | 503 | 409 | 403;

/** Newest objects that a stale list lacks. */
const STALE_BY = 3;

/** Options of the server; what is not given is as it should be. */
export interface S3Behaviour {
  /** Conditions of a PUT are ignored, as some servers do. */
  readonly ignoresConditions?: boolean;
  /** A list lacks as many of the newest objects. */
  readonly listLag?: number;
  /** Keys of one page of a list; 1,000 as at Amazon. */
  readonly pageKeys?: number;
}

/** A running S3 server with one bucket named `lake`, in memory. */
export interface S3Server {
  readonly url: string;
  readonly objects: Map<string, { readonly body: Buffer; readonly changedAtMs: number }>;
  readonly uploads: Map<
    string,
    { readonly key: string; readonly begunAtMs: number; readonly parts: Map<number, Buffer> }
  >;
  /** All requests since the start, in the order in which they arrived. */
  readonly requests: S3Request[];
  /** Decides the fault of each request; null for none. */
  fault: (request: S3Request, number: number) => S3Fault | null;
  behaviour: S3Behaviour;
  /** Milliseconds that are added to the clock of the server. */
  clockAheadMs: number;
  close(): Promise<void>;
}

/** Starts an S3 server in this process, on a real socket. Conditional writes are atomic: each is one step. */
export async function startS3Server(): Promise<S3Server> {
  const state: Omit<S3Server, 'url' | 'close'> = {
    objects: new Map(),
    uploads: new Map(),
    requests: [],
    fault: () => null,
    behaviour: {},
    clockAheadMs: 0,
  };
  let late: (() => void) | null = null;
  const handle = async (message: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks);
    const url = new URL(message.url ?? '/', 'http://server');
    const [, bucket = '', ...rest] = decodeURIComponent(url.pathname).split('/');
    const request: S3Request = {
      method: message.method ?? '',
      key: rest.join('/'),
      query: url.searchParams,
      isConditional: message.headers['if-none-match'] === '*',
      encryption: (message.headers['x-amz-server-side-encryption'] as string | undefined) ?? null,
      body,
    };
    state.requests.push(request);
    late?.();
    late = null;
    const fault = state.fault(request, state.requests.length);
    if (fault === 'lost') return void message.socket.destroy();
    if (fault === 'late') {
      late = () => void answerTo(state, request, body);
      return void message.socket.destroy();
    }
    if (typeof fault === 'number') return send(response, problem(fault, FAULT_CODES[fault] ?? 'InternalError'));
    const isKnown = (message.headers.authorization ?? '').includes(S3_KEY.accessKeyId);
    const answer = !isKnown
      ? problem(403, 'InvalidAccessKeyId')
      : bucket === 'lake'
        ? answerTo(fault === 'stale-list' ? { ...state, behaviour: { listLag: STALE_BY } } : state, request, body)
        : problem(404, 'NoSuchBucket');
    if (fault === 'unanswered') return void message.socket.destroy();
    if (fault === 'failed-after') return send(response, problem(500, 'InternalError'));
    return send(
      response,
      request.method === 'HEAD' ? { ...answer, body: null } : partOf(answer, message.headers.range),
    );
  };
  const server = createServer((message, response) => {
    handle(message, response).catch(() => message.socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return Object.assign(state, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close });
}

const FAULT_CODES: Readonly<Record<number, string>> = {
  503: 'SlowDown',
  409: 'ConditionalRequestConflict',
  403: 'AccessDenied',
};

interface S3Answer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Buffer | null;
}

function send(response: ServerResponse, { status, headers = {}, body }: S3Answer): void {
  const type = typeof body === 'string' ? { 'content-type': 'application/xml' } : {};
  response.writeHead(status, { ...type, ...headers });
  response.end(body ?? undefined);
}

/** The bytes that a request asks for, where it asks for some. */
function partOf(answer: S3Answer, range: string | undefined): S3Answer {
  const [, first, last] = /^bytes=(\d+)-(\d+)$/.exec(range ?? '') ?? [];
  if (first === undefined || answer.status !== 200 || !Buffer.isBuffer(answer.body)) return answer;
  const body = answer.body.subarray(Number(first), Number(last) + 1);
  const place = `bytes ${first}-${Number(first) + body.length - 1}/${answer.body.length}`;
  const headers = { ...answer.headers, 'content-length': String(body.length), 'content-range': place };
  return { status: 206, headers, body };
}

function problem(status: number, code: string): S3Answer {
  return { status, body: `<Error><Code>${code}</Code><Message>test</Message></Error>` };
}

type State = Omit<S3Server, 'url' | 'close'>;

/** Carries a request out, in one step. */
function answerTo(state: State, { method, key, query, isConditional }: S3Request, body: Buffer): S3Answer {
  const { objects, uploads } = state;
  const now = () => Date.now() + state.clockAheadMs;
  const uploadId = query.get('uploadId');
  if (method === 'GET' && query.has('uploads')) return listUploads(state, query);
  if (method === 'GET' && key === '') return listObjects(state, query);
  if (method === 'POST' && query.has('uploads')) {
    const id = randomUUID();
    uploads.set(id, { key, begunAtMs: now(), parts: new Map() });
    return xml(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
  }
  if (uploadId !== null) {
    const upload = uploads.get(uploadId);
    if (upload === undefined) return problem(404, 'NoSuchUpload');
    if (method === 'PUT') {
      upload.parts.set(Number(query.get('partNumber')), body);
      return { status: 200, headers: { etag: etagOf(body) }, body: null };
    }
    uploads.delete(uploadId);
    if (method === 'DELETE') return { status: 204, body: null };
    const parts = [...upload.parts].sort(([a], [b]) => a - b).map(([, part]) => part);
    objects.set(key, { body: Buffer.concat(parts), changedAtMs: now() });
    return xml('<CompleteMultipartUploadResult><ETag>"whole"</ETag></CompleteMultipartUploadResult>');
  }
  const found = objects.get(key);
  if (method === 'PUT') {
    if (isConditional && found !== undefined && state.behaviour.ignoresConditions !== true) {
      return problem(412, 'PreconditionFailed');
    }
    objects.delete(key);
    objects.set(key, { body, changedAtMs: now() });
    return { status: 200, headers: { etag: etagOf(body) }, body: null };
  }
  if (method === 'DELETE') {
    objects.delete(key);
    return { status: 204, body: null };
  }
  if (found === undefined) return problem(404, 'NoSuchKey');
  const headers = {
    etag: etagOf(found.body),
    'last-modified': new Date(found.changedAtMs).toUTCString(),
    'content-length': String(found.body.length),
  };
  return { status: 200, headers, body: found.body };
}

function listObjects({ objects, behaviour }: State, query: URLSearchParams): S3Answer {
  const after = query.get('continuation-token') ?? query.get('start-after') ?? '';
  const shown = behaviour.listLag === undefined ? [...objects] : [...objects].slice(0, -behaviour.listLag);
  const matching = shown
    .filter(([key]) => key.startsWith(query.get('prefix') ?? '') && key > after)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const page = matching.slice(0, behaviour.pageKeys ?? 1_000);
  const contents = page.map(
    ([key, { body, changedAtMs }]) =>
      `<Contents><Key>${key}</Key><Size>${body.length}</Size><LastModified>${new Date(changedAtMs).toISOString()}</LastModified><ETag>${etagOf(body).replaceAll('"', '&quot;')}</ETag></Contents>`,
  );
  const isTruncated = matching.length > page.length;
  const next = isTruncated ? `<NextContinuationToken>${page.at(-1)?.[0]}</NextContinuationToken>` : '';
  return xml(
    `<ListBucketResult><IsTruncated>${isTruncated}</IsTruncated>${next}${contents.join('')}</ListBucketResult>`,
  );
}

function listUploads({ uploads }: State, query: URLSearchParams): S3Answer {
  const shown = [...uploads].filter(([, { key }]) => key.startsWith(query.get('prefix') ?? ''));
  const text = shown.map(
    ([id, { key, begunAtMs }]) =>
      `<Upload><Key>${key}</Key><UploadId>${id}</UploadId><Initiated>${new Date(begunAtMs).toISOString()}</Initiated></Upload>`,
  );
  return xml(
    `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>${text.join('')}</ListMultipartUploadsResult>`,
  );
}

function xml(text: string): S3Answer {
  return { status: 200, body: `<?xml version="1.0" encoding="UTF-8"?>${text}` };
}

function etagOf(body: Buffer): string {
  return `"${createHash('md5').update(body).digest('hex')}"`;
}

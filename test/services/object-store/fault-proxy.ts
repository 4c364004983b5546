import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { S3Fault, S3Request } from '../../../packages/lake/test/s3-server.ts';

/** What the proxy can do to a request. */
export const PROXY_FAULTS = ['lost', 'unanswered', 'failed-after', 500, 503] as const satisfies readonly S3Fault[];

/** A proxy before an S3 server that disturbs what goes through it. */
export interface FaultProxy {
  readonly url: string;
  /** All requests since the start, without their bodies. */
  readonly requests: S3Request[];
  /** Bytes of the bodies that it has passed on to its clients. */
  passedBytes: number;
  /** Decides the fault of a request, by its number from 1; null for none. */
  fault: (request: S3Request, number: number) => S3Fault | null;
  /**
   * Happens before a request of a client goes on. `silent`: it never does, and is not answered; a number: it is
   * answered with an error of that status.
   */
  before: (request: S3Request, client: string) => Promise<'silent' | number | null>;
  close(): Promise<void>;
}

/** Requests so far that change something. */
export function changesIn({ requests }: FaultProxy): number {
  return requests.filter(({ method }) => method !== 'GET' && method !== 'HEAD').length;
}

/** Starts a proxy on a port of its own. Signatures hold, because the server is given the host that was signed. */
export async function startFaultProxy(server: string): Promise<FaultProxy> {
  const requests: S3Request[] = [];
  const proxied: Omit<FaultProxy, 'url' | 'close'> = {
    requests,
    passedBytes: 0,
    fault: () => null,
    before: async () => null,
  };
  const handle = async (message: IncomingMessage, response: ServerResponse) => {
    const chunks: Buffer[] = [];
    for await (const chunk of message) chunks.push(chunk as Buffer);
    const asked = requestOf(message);
    requests.push(asked);
    const held = await proxied.before(asked, message.headers['user-agent'] ?? '');
    if (held === 'silent') return;
    if (held !== null) return fail(response, held);
    const fault = proxied.fault(asked, requests.length);
    if (fault === 'lost') return void message.socket.destroy();
    if (typeof fault === 'number') return fail(response, fault);
    const { method, headers } = message;
    const forwarded = request(`${server}${message.url}`, { method, headers }, (answer) => {
      if (fault === 'unanswered') return void answer.resume().on('end', () => message.socket.destroy());
      if (fault === 'failed-after') return void answer.resume().on('end', () => fail(response, 500));
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.on('data', (bytes: Buffer) => {
        proxied.passedBytes += bytes.length;
      });
      answer.pipe(response);
    });
    forwarded.on('error', () => message.socket.destroy()).end(Buffer.concat(chunks));
  };
  const proxy = createServer((message, response) => {
    handle(message, response).catch(() => message.socket.destroy());
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const close = async () => {
    proxy.closeAllConnections();
    await new Promise((resolve) => proxy.close(resolve));
  };
  return Object.assign(proxied, { url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`, close });
}

function requestOf({ method = '', url = '/', headers }: IncomingMessage): S3Request {
  const { pathname, searchParams } = new URL(url, 'http://server');
  const [, , ...rest] = decodeURIComponent(pathname).split('/');
  const [isConditional, body] = [headers['if-none-match'] === '*', Buffer.alloc(0)];
  return { method, key: rest.join('/'), query: searchParams, isConditional, encryption: null, body };
}

function fail(response: ServerResponse, status: number): void {
  response.writeHead(status).end(`<Error><Code>${status === 503 ? 'SlowDown' : 'InternalError'}</Code></Error>`);
}

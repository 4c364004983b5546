import { createServer } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';

/** A forward proxy on 127.0.0.1. */
export interface CaseProxy {
  readonly port: number;
  /** `host:port` of each CONNECT so far. */
  readonly asked: readonly string[];
  /** The values of `proxy-authorization` so far. */
  readonly authorizations: readonly (string | undefined)[];
  /** Answers CONNECT with this status from now on; 200 opens the tunnel. */
  answerWith(status: number): void;
  close(): Promise<void>;
}

/** Starts a proxy that connects every CONNECT, to any host, to one port of this machine. */
export async function startCaseProxy(targetPort: number): Promise<CaseProxy> {
  const asked: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const sockets = new Set<Socket>();
  let status = 200;
  const server = createServer((_, response) => {
    asked.push('not a CONNECT');
    response.writeHead(400).end();
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
  });
  server.on('connect', (request, client, head) => {
    asked.push(request.url ?? '');
    authorizations.push(request.headers['proxy-authorization']);
    if (status !== 200) {
      client.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\nproxy-authenticate: Basic realm="x"\r\n\r\n`);
      return;
    }
    const upstream = connect(targetPort, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    upstream.on('error', () => client.destroy());
    client.on('error', () => upstream.destroy()).on('close', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    authorizations,
    answerWith: (next) => {
      status = next;
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

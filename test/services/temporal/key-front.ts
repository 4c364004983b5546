import { once } from 'node:events';
import {
  type ClientHttp2Session,
  connect,
  constants,
  createSecureServer,
  type IncomingHttpHeaders,
  type OutgoingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';

/** A front that lets through what shows a key. */
export interface KeyFront {
  readonly address: string;
  /** Calls that showed no key, or another one. */
  refused(): number;
  /** Calls that went through. */
  passed(): number;
  close(): Promise<void>;
}

/** Of gRPC: unauthenticated. */
const REFUSAL = {
  ':status': 200,
  'content-type': 'application/grpc',
  'grpc-status': '16',
  'grpc-message': 'no such key',
};

/**
 * What is in front of a hosted server: it ends TLS, reads `authorization: Bearer KEY` of each call as gRPC sends it
 * over HTTP/2, and hands calls with the right key to the server, trailers included.
 */
export async function startKeyFront(
  inner: string,
  files: { readonly key: string; readonly certificate: string },
  apiKey: string,
): Promise<KeyFront> {
  const upstream = connect(`http://${inner}`);
  upstream.on('error', () => undefined);
  const sessions = new Set<ServerHttp2Session>();
  const server = createSecureServer({ key: files.key, cert: files.certificate });
  let [refused, passed] = [0, 0];
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => undefined).on('close', () => sessions.delete(session));
  });
  server.on('stream', (stream, headers) => {
    stream.on('error', () => undefined);
    if (headers.authorization === `Bearer ${apiKey}`) {
      passed += 1;
      forward(upstream, stream, headers);
      return;
    }
    refused += 1;
    stream.respond(REFUSAL, { endStream: true });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `localhost:${(server.address() as AddressInfo).port}`,
    refused: () => refused,
    passed: () => passed,
    close: async () => {
      for (const session of sessions) session.destroy();
      upstream.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

function forward(upstream: ClientHttp2Session, stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  const { ':authority': _, ':scheme': __, authorization: ___, ...rest } = headers;
  const call = upstream.request(rest as OutgoingHttpHeaders, { endStream: false });
  let trailers: IncomingHttpHeaders = {};
  call.on('error', () => stream.close(constants.NGHTTP2_INTERNAL_ERROR));
  stream.on('close', () => call.close(constants.NGHTTP2_CANCEL));
  call.on('trailers', (came) => {
    trailers = came;
  });
  call.on('response', (answer, flags) => {
    const isAll = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0;
    if (stream.closed) return;
    stream.respond(answer as OutgoingHttpHeaders, isAll ? { endStream: true } : { waitForTrailers: true });
    if (isAll) return;
    stream.on('wantTrailers', () => stream.sendTrailers(trailers as OutgoingHttpHeaders));
    call.pipe(stream);
  });
  stream.pipe(call);
}

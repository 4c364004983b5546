import { EdrlakeError } from '@edrlake/core';

/** How to reach a Temporal server. */
export interface TemporalPlace {
  /** Host and port, such as `localhost:7233`. */
  readonly address: string;
  readonly namespace: string;
  readonly taskQueue: string;
  /** null: a connection in plain text. */
  readonly tls: TlsSettings | null;
  /** A key for servers that take one; null for none. Never in a message. */
  readonly apiKey: string | null;
}

/** Without files the authorities of the system are trusted, and the client shows none. */
export interface TlsSettings {
  /** In PEM, those that sign that of the server. */
  readonly authorities: Uint8Array | null;
  /** What this client shows. */
  readonly client: { readonly pem: Uint8Array; readonly key: Uint8Array } | null;
}

/** The same, for the packages of Temporal. */
export function connectionOf({ address, tls, apiKey }: TemporalPlace) {
  const { authorities = null, client = null } = tls ?? {};
  const files = {
    ...(authorities !== null && { serverRootCACertificate: authorities }),
    ...(client !== null && { clientCertPair: { crt: client.pem, key: client.key } }),
  };
  return { address, ...(tls !== null && { tls: files }), ...(apiKey !== null && { apiKey }) };
}

/** What went wrong between this process and the server, in words. */
export function serverError(thrown: unknown, { address, namespace }: TemporalPlace): unknown {
  if (thrown instanceof EdrlakeError || !(thrown instanceof Error)) return thrown;
  const { code, said } = statusOf(thrown);
  if (code === NOT_FOUND || /namespace .*not found/i.test(said)) {
    return new EdrlakeError('CONFIG_INVALID', `the Temporal server at ${address} has no namespace ${namespace}`, {
      cause: thrown,
      hint: 'Name one that is there with --namespace, or make it with: temporal operator namespace create',
    });
  }
  if (code === INVALID) {
    return new EdrlakeError('CONFIG_INVALID', `the Temporal server at ${address} refuses it: ${firstLine(said)}`, {
      cause: thrown,
      hint: 'Cron lines have five fields there; names of days and months and @daily are known, L and # are not.',
    });
  }
  if (code === UNAUTHENTICATED || code === PERMISSION_DENIED || REFUSED_IN_WORDS.test(said)) {
    return new EdrlakeError('CONFIG_INVALID', `the Temporal server at ${address} refuses this client`, {
      cause: thrown,
      hint: 'Check --tls-cert and --tls-key, or TEMPORAL_API_KEY.',
    });
  }
  const isTransport =
    typeof code === 'number' || /Transport|ServiceError|Unavailable|connect/i.test(thrown.name + said);
  if (!isTransport) return thrown;
  return new EdrlakeError('HOST_UNREACHABLE', `there is no Temporal server at ${address}: ${firstLine(said)}`, {
    disposition: 'retry',
    cause: thrown,
    hint: 'Check --address and --tls, and that the server runs.',
  });
}

/** A client that could not connect has the server's answer as its cause. */
function statusOf(thrown: Error): { readonly code: unknown; readonly said: string } {
  const answers = [thrown, thrown.cause] as ({ readonly code?: unknown; readonly details?: unknown } | undefined)[];
  const answer = answers.find((each) => typeof each?.code === 'number');
  const details = answer?.details;
  return { code: answer?.code, said: typeof details === 'string' && details !== '' ? details : thrown.message };
}

/** What a worker's connection, which has no status codes, says of those two. */
const REFUSED_IN_WORDS = /does not have valid authentication credentials|does not have permission/;

/** Status codes of gRPC. */
const [INVALID, NOT_FOUND, PERMISSION_DENIED, UNAUTHENTICATED] = [3, 5, 7, 16];

function firstLine(text: string): string {
  return text.split('\n')[0] ?? '';
}

import { type Disposition, EdrlakeError, type Redact } from '@edrlake/core';
import { excerpt } from './excerpt.ts';
import { describe, type RequestFacts } from './refusal.ts';

const CERTIFICATE_CODES = /^(CERT_|ERR_TLS_CERT|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH)/;
/** No connection with TLS came about, such as with a port that speaks plain HTTP. The certificate is another matter. */
const TLS_CODES = /^(ERR_TLS|ERR_SSL|EPROTO)/;

const CONNECTION_REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'the name is not known',
  EAI_AGAIN: 'the name server does not answer',
  ECONNREFUSED: 'the connection was refused',
  EHOSTUNREACH: 'there is no route to the host',
  ENETUNREACH: 'there is no route to the network',
  ECONNRESET: 'the connection was reset before an answer came',
  EPIPE: 'the connection was reset before an answer came',
  ETIMEDOUT: 'no connection in time',
  UND_ERR_CONNECT_TIMEOUT: 'no connection in time',
  UND_ERR_HEADERS_TIMEOUT: 'no answer in time',
  UND_ERR_SOCKET: 'the connection was closed before an answer came',
};

/** What failed, where the code alone has no words. */
const FAILURE_REASONS = {
  certificate: 'its certificate is not trusted here',
  tls: 'TLS failed; it may speak plain HTTP',
  other: 'it failed',
} as const;

const FAILURE_HINTS: Readonly<Record<keyof typeof FAILURE_REASONS, string>> = {
  certificate:
    'The certificate of the host is not trusted here. Where a proxy inspects TLS, name its CA in NODE_EXTRA_CA_CERTS.',
  tls: 'TLS failed before any certificate mattered. Check the base URL: a port that speaks plain HTTP needs http://.',
  other: 'Check the base URL or platform, the network, the proxy and the firewall.',
};

/** Why no connection was established, or none that lasted until an answer, with the error code. */
export function connectionReason(thrown: unknown): string {
  const code = codeOf(thrown);
  return `${CONNECTION_REASONS[code] ?? FAILURE_REASONS[failureOf(code)]} (${code})`;
}

function failureOf(code: string): keyof typeof FAILURE_REASONS {
  if (CERTIFICATE_CODES.test(code)) return 'certificate';
  return TLS_CODES.test(code) ? 'tls' : 'other';
}

/**
 * The error of a request without an answer. The library's own error is not kept as cause: it may contain raw bytes of
 * the exchange.
 */
export function connectionFailure(thrown: unknown, request: RequestFacts, redact: Redact): EdrlakeError {
  const code = codeOf(thrown);
  const context = { host: request.host, endpoint: request.kind, path: request.path, reason: code };
  if (code === 'UND_ERR_HEADERS_TIMEOUT') {
    return new EdrlakeError('TIMEOUT', `${describe(request)} did not answer in time`, {
      disposition: 'retry',
      context,
      hint: 'Try again later, or raise the headers timeout.',
    });
  }
  const reason = CONNECTION_REASONS[code] ?? excerpt(messageOf(thrown), redact);
  const failure = failureOf(code);
  return new EdrlakeError('HOST_UNREACHABLE', `no connection to ${request.host}: ${reason} (${code})`, {
    disposition: failure === 'other' ? 'retry' : 'stop',
    context,
    hint: FAILURE_HINTS[failure],
  });
}

/** The error of an answer whose body did not come to its end. */
export function bodyFailure(thrown: unknown, request: RequestFacts, redact: Redact): EdrlakeError {
  const code = codeOf(thrown);
  const context = { host: request.host, endpoint: request.kind, path: request.path, reason: code };
  if (code === 'UND_ERR_BODY_TIMEOUT') {
    return new EdrlakeError('TIMEOUT', `${describe(request)}: the body stopped coming`, {
      disposition: 'retry',
      context,
      hint: 'Try again later, or raise the body timeout.',
    });
  }
  const reason = excerpt(messageOf(thrown), redact);
  return new EdrlakeError('BODY_BROKEN', `${describe(request)}: the body ended early: ${reason} (${code})`, {
    disposition: 'retry',
    context,
    hint: 'Try again later; if it stays, a proxy may cut long answers: use a smaller page size.',
  });
}

/** The error of a body whose pieces come in time, but so slowly that the whole would take hours. */
export function tooSlow(request: RequestFacts, bytes: number, waitedMs: number): EdrlakeError {
  const seconds = Math.ceil(waitedMs / 1000);
  return new EdrlakeError('TIMEOUT', `${describe(request)}: the body came too slowly: ${bytes} bytes in ${seconds} s`, {
    disposition: 'retry',
    context: { host: request.host, endpoint: request.kind, path: request.path, bytes },
    hint: 'Try again later; if it stays, look at the network and at proxies in between.',
  });
}

/** A success whose content is not what was asked for. `retry` when it may be a damaged copy of the right answer. */
export function contentFailure(
  code: 'BODY_BROKEN' | 'RESPONSE_UNEXPECTED',
  found: string,
  bodyText: string,
  request: RequestFacts,
  redact: Redact,
  disposition: Disposition = code === 'BODY_BROKEN' ? 'retry' : 'stop',
): EdrlakeError {
  const quoted = bodyText === '' ? '' : ` The answer began: ${excerpt(bodyText, redact)}`;
  return new EdrlakeError(code, `${describe(request)}: ${found}.${quoted}`, {
    disposition,
    context: { host: request.host, endpoint: request.kind, path: request.path },
    hint: 'Check the base URL and whether a proxy is in between.',
  });
}

/** The error of a first answer with status 204, which proves nothing by itself. */
export function noContentOnce(request: RequestFacts, waitMs: number): EdrlakeError {
  return new EdrlakeError('BODY_BROKEN', `${describe(request)}: expected a body, or 204 twice, found 204 once`, {
    disposition: 'retry',
    context: { host: request.host, endpoint: request.kind, path: request.path, status: 204, waitMs },
    hint: 'Run it again. The gateway may be starting, or a proxy may be in between.',
  });
}

/**
 * The error of a body that came twice with the same bytes and is broken: a third attempt now would bring the same
 * bytes. A later attempt, such as that of a pipeline's task, may succeed.
 */
export function sameBytesTwice(error: EdrlakeError, checksum: string): EdrlakeError {
  return new EdrlakeError(error.code, `${error.message} (the same answer came twice: ${checksum})`, {
    disposition: 'retry',
    context: { ...error.context, cameTwice: true },
    cause: error,
    hint: 'It is not asked for again by itself. Check whether a proxy is in between; if not, report the request to Qualys support.',
  });
}

function codeOf(thrown: unknown): string {
  const code = (thrown as { code?: unknown } | null)?.code;
  return typeof code === 'string' ? code : thrown instanceof Error ? thrown.name : 'unknown';
}

function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

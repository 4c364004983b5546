import { type Disposition, EdrlakeError, type ErrorCode, type ErrorContext, type Redact } from '@edrlake/core';
import { type HttpHeaders, type LimitFacts, showsLimit } from '../sliding-window/limit-headers.ts';
import { excerpt } from './excerpt.ts';

/** The kinds of requests this client makes. */
export type EndpointKind = 'auth' | 'events' | 'count' | 'detail';

/** The facts about a request that its errors need. None of them is secret. */
export interface RequestFacts {
  readonly kind: EndpointKind;
  readonly method: 'GET' | 'POST';
  /** Host and port. */
  readonly host: string;
  /** Without the query. */
  readonly path: string;
  readonly filter: string | null;
  /** Events asked for with one page; null where no page is asked for. */
  readonly pageSize: number | null;
  /** The page is beyond what paging can reach, so any refusal means that. */
  readonly isBeyondResultWindow: boolean;
}

/** An answer that is not a success. */
export interface RefusedAnswer {
  readonly status: number;
  readonly headers: HttpHeaders;
  readonly limits: LimitFacts;
  /** As much of the body as was read. */
  readonly bodyText: string;
}

interface Verdict {
  readonly code: ErrorCode;
  readonly disposition: Disposition;
  readonly says: string;
  readonly hint: string;
  /** Further facts from the answer. */
  readonly facts?: ErrorContext;
}

/**
 * The error of an answer that is not a success. `context.waitMs` is the time that the server asked to wait, if it did.
 * @param hasAccess whether the account is known to get answers: then a refusal concerns this request alone
 */
export function refusal(
  answer: RefusedAnswer,
  request: RequestFacts,
  hasAccess: boolean,
  redact: Redact,
): EdrlakeError {
  const { code, disposition, says, hint, facts } = verdictOf(answer, request, hasAccess);
  // A login page may echo the credentials in any spelling (escaped for HTML, base64, …), so only the API's own reason
  // is quoted.
  const body = request.kind === 'auth' ? loginReason(answer.bodyText) : excerpt(answer.bodyText, redact);
  const quoted = body === '' ? '' : ` The answer began: ${body}`;
  return new EdrlakeError(code, `${describe(request)} answered ${answer.status}: ${says}.${quoted}`, {
    disposition,
    hint,
    context: {
      host: request.host,
      endpoint: request.kind,
      path: request.path,
      status: answer.status,
      ...(request.filter === null ? {} : { filter: redact(request.filter) }),
      ...(answer.limits.toWaitMs === null ? {} : { waitMs: answer.limits.toWaitMs }),
      ...(answer.limits.remaining === null ? {} : { requestsLeft: answer.limits.remaining }),
      ...facts,
    },
  });
}

/** `InvalidCredentialsException` and the like, as `/auth` names them; empty where there is none. */
function loginReason(bodyText: string): string {
  return /\b[A-Z][A-Za-z]{2,60}Exception\b/.exec(bodyText)?.[0] ?? '';
}

function verdictOf(answer: RefusedAnswer, request: RequestFacts, hasAccess: boolean): Verdict {
  const { status } = answer;
  if (status === 429 || (status === 409 && showsLimit(answer.limits))) {
    return {
      code: 'RATE_LIMITED',
      disposition: 'retry',
      says: 'over the limit of requests or of simultaneous requests',
      hint: 'Other tools may use the same subscription: lower --rate-limit or --concurrency, or run later.',
    };
  }
  if (request.kind === 'auth') return authVerdict(answer, request);
  if (status === 401 || status === 403) return accessVerdict(status, isPage(answer), hasAccess);
  if (request.isBeyondResultWindow && status >= 400) {
    return {
      code: 'RESULT_WINDOW_EXCEEDED',
      disposition: 'split',
      says: 'the page is beyond what paging can reach',
      hint: 'Ask for a smaller range.',
    };
  }
  return dataVerdict(answer, request, hasAccess) ?? generalVerdict(status, answer.headers);
}

/** The API answers in JSON or plain text; a web page comes from a proxy or firewall in between. */
function isPage({ headers, bodyText }: RefusedAnswer): boolean {
  const header = headers['content-type'];
  const contentType = typeof header === 'string' ? header : (header?.[0] ?? '');
  return /^\s*</.test(bodyText) || contentType.includes('text/html');
}

function accessVerdict(status: number, isWebPage: boolean, hasAccess: boolean): Verdict {
  if (!hasAccess && !(isWebPage && status === 403)) {
    return {
      code: 'ACCESS_DENIED',
      disposition: 'stop',
      says: status === 401 ? 'a fresh token was refused' : 'the account may not do this',
      hint: 'Ask your Qualys administrator for the IOC/EDR module and API access for this account.',
    };
  }
  return {
    code: 'REQUEST_REFUSED',
    disposition: 'stop',
    says: hasAccess
      ? 'this request was refused, though others are answered'
      : 'a web page instead of an answer of the API',
    hint: isWebPage
      ? 'A firewall or a proxy in between refuses it: ask who runs it to let requests to this gateway through.'
      : 'Run again; if it stays, ask Qualys support with the time of this request.',
  };
}

function authVerdict({ status, headers }: RefusedAnswer, { path }: RequestFacts): Verdict {
  if (status === 401 || status === 400) {
    const variables =
      path === '/auth' ? 'EDRLAKE_USERNAME, EDRLAKE_PASSWORD' : 'EDRLAKE_CLIENT_ID, EDRLAKE_CLIENT_SECRET_FILE';
    return {
      code: 'AUTH_REJECTED',
      disposition: 'stop',
      says: 'the login was refused',
      hint: `Check ${variables} and the platform. It is not tried again: repeated bad logins lock accounts.`,
    };
  }
  if (status === 403) {
    return {
      code: 'ACCESS_DENIED',
      disposition: 'stop',
      says: 'the account may not use the API',
      hint: 'Ask your Qualys administrator for API access for this account.',
    };
  }
  return generalVerdict(status, headers);
}

/** Statuses that mean that the query is too long: its URL, its headers, or its body. */
const TOO_LONG = new Set([413, 414, 431]);

/** Elasticsearch's message about the result window, with any status. */
const IS_ABOUT_RESULT_WINDOW = /result[\s_]window|\bfrom \+ size\b/i;
const RESULT_WINDOW_LIMIT =
  /(?:less than or equal to|at most|up to|limit(?:ed)?(?: is| of| to)?|max(?:imum)?(?: is| of)?)\D{0,12}?(\d[\d,]{0,12})/i;

/** The message names the parameter, the field that it cannot sort by, or what Elasticsearch lacks for it. */
const IS_ABOUT_ORDER = /\bsort|\bfielddata\b|\border(?:ing| by|By)\b/i;

function dataVerdict(answer: RefusedAnswer, request: RequestFacts, hasAccess: boolean): Verdict | null {
  const { kind, pageSize } = request;
  const { status, bodyText } = answer;
  if (TOO_LONG.has(status)) {
    return {
      code: 'QUERY_TOO_LONG',
      disposition: 'stop',
      says: 'the query is too long for the gateway or a proxy',
      hint: 'Shorten --filter: split long lists of values over several exports.',
    };
  }
  if (kind === 'events' && status >= 400 && IS_ABOUT_RESULT_WINDOW.test(bodyText)) {
    const [, digits = ''] = RESULT_WINDOW_LIMIT.exec(bodyText) ?? [];
    const limit = Number(digits.replaceAll(',', ''));
    return {
      code: 'RESULT_WINDOW_EXCEEDED',
      disposition: 'split',
      says: 'the page is beyond what this gateway pages to',
      hint: `Set --max-result-window${limit > 0 ? ` ${limit}` : ' to less'}.`,
      facts: limit > 0 ? { largestResultWindow: limit } : {},
    };
  }
  if (status === 400 && hasAccess && isPage(answer)) {
    return {
      code: 'REQUEST_REFUSED',
      disposition: 'stop',
      says: 'a web page instead of an answer of the API',
      hint: 'A firewall or a proxy in between refuses it: ask who runs it to let requests to this gateway through.',
    };
  }
  if (status === 400 && pageSize !== null && isAboutPageSize(bodyText)) return pageSizeVerdict(pageSize, bodyText);
  if (status === 400 && kind === 'events' && IS_ABOUT_ORDER.test(bodyText)) {
    return {
      code: 'SORT_REJECTED',
      disposition: 'stop',
      says: 'the order of the pages was refused',
      hint: 'Pages are sorted by the time token; this platform may spell it otherwise, set --event-time-token then. edrlake doctor finds out.',
    };
  }
  if (status === 400) {
    return {
      code: 'FILTER_REJECTED',
      disposition: 'stop',
      says: 'the query was not understood',
      hint:
        kind === 'events' && hasAccess
          ? 'If counts with this filter are answered, the size or the order of pages is what it refuses: edrlake doctor finds out.'
          : 'Check the filter, the field to group by, and the time token of this platform: newer ones spell it event.datetime.',
    };
  }
  // A page in HTML is that of a proxy: it says nothing of the event.
  if (status === 404 && kind === 'detail' && !/^\s*</.test(bodyText)) {
    return {
      code: 'NOT_FOUND',
      disposition: 'stop',
      says: 'there is no such event',
      hint: 'Check the agent id and the event id.',
    };
  }
  if (status === 409) {
    return {
      code: 'CONFLICT',
      disposition: 'stop',
      says: 'a conflict, and nothing says that it is about a limit',
      hint: 'Try again later; if it stays, ask Qualys support with the time of this request.',
    };
  }
  return null;
}

/** The message names the page size; or a limit or size (not that of a field such as file.size) with its number. */
function isAboutPageSize(bodyText: string): boolean {
  if (/page[\s_-]?size/i.test(bodyText)) return true;
  const isLimit = /(?<![.\w])(limit|size|(records|results|events|items) per page)\b/i.test(bodyText);
  return isLimit && /\b(max|maximum|between|exceeds?|at most|up to|less than|not be greater)\b.*\d/is.test(bodyText);
}

/**
 * The largest number in the message that is smaller than the requested page size is taken as the gateway's page size.
 */
function pageSizeVerdict(pageSize: number, bodyText: string): Verdict {
  const named = [...bodyText.matchAll(/\d[\d,]{0,8}/g)].map(([digits]) => Number(digits.replaceAll(',', '')));
  const largest = Math.max(0, ...named.filter((size) => size < pageSize));
  return {
    code: 'PAGE_SIZE_REFUSED',
    disposition: 'stop',
    says: `pages of ${pageSize} events are refused`,
    hint:
      pageSize > 1
        ? `Set --page-size ${largest > 0 ? largest : Math.max(1, Math.floor(pageSize / 2))}.`
        : 'No smaller page exists. Try again later; if it stays, ask Qualys support with this answer.',
    facts: { pageSize, ...(largest > 0 ? { largestPageSize: largest } : {}) },
  };
}

function generalVerdict(status: number, headers: HttpHeaders): Verdict {
  if (status === 408) {
    return { code: 'TIMEOUT', disposition: 'retry', says: 'the request took too long', hint: 'Try again later.' };
  }
  if (status >= 500 && status !== 501 && status !== 505) {
    return {
      code: 'SERVER_ERROR',
      disposition: 'retry',
      says: 'the gateway has a problem',
      hint: 'Try again later, and look at status.qualys.com.',
    };
  }
  // Success without the answer: accepted for later, or a part of it.
  if (status > 200 && status < 300) {
    return {
      code: 'RESPONSE_UNEXPECTED',
      disposition: 'retry',
      says: 'an answer no document names',
      hint: 'Try again later, and check whether a proxy is in between.',
    };
  }
  if (isRedirect(status)) {
    const target = redirectHost(headers);
    return {
      code: 'RESPONSE_UNEXPECTED',
      disposition: 'stop',
      says: `a redirect${target === null ? '' : ` to ${target}`}, which is not followed because it would carry the token away`,
      hint: 'Check the base URL, and whether a proxy is in between.',
    };
  }
  return {
    code: 'RESPONSE_UNEXPECTED',
    disposition: 'stop',
    says: 'an answer no document names',
    hint: 'Check the base URL, the platform and the setting apiPrefix (/ioc, /ioc/v1 on newer platforms, or auto).',
  };
}

/** Redirects, and 304, which answers a question that was not asked. */
export function isRedirect(status: number): boolean {
  return status >= 300 && status < 400;
}

function redirectHost(headers: HttpHeaders): string | null {
  const location = headers.location;
  const text = typeof location === 'string' ? location : location?.[0];
  if (text === undefined || !URL.canParse(text)) return null;
  return new URL(text).host;
}

/** `GET https… /ioc/events`, the form of all messages. */
export function describe(request: Pick<RequestFacts, 'method' | 'host' | 'path'>): string {
  return `${request.method} ${request.host}${request.path}`;
}

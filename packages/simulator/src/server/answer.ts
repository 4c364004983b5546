import { isFilterProblem } from '../query/filter-lexer.ts';
import { type Question, type Selection, selectEvents } from '../query/select.ts';
import type { TokenTable } from '../query/tokens.ts';
import type { EventWorld } from '../records/render-list.ts';
import type { Endpoint } from './call-log.ts';
import type { Fault } from './faults.ts';

/** The answer of a data endpoint, before faults and compression. */
export interface Answer {
  readonly status: number;
  readonly body: Buffer | string;
  readonly rows: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A data request that passed login and limits. */
export interface DataRequest {
  readonly endpoint: Endpoint;
  readonly params: URLSearchParams;
  readonly module: 'ioc' | 'fim';
  /** Decoded parts of the path, for details. */
  readonly agentId: string;
  readonly eventId: string;
  readonly fault: Fault | null;
}

/** A JSON error as the gateway writes it. */
export function problem(status: number, message: string): Answer {
  return { status, rows: 0, body: JSON.stringify({ errorCode: status, message }) };
}

/** The answer already made where a parameter is wrong. */
export function isAnswer(value: object): value is Answer {
  return 'status' in value;
}

/** The query of a request, or a 400 for a parameter that cannot be read. */
export function questionOf(params: URLSearchParams): Question | Answer {
  const seconds: Record<'fromDate' | 'toDate', number | null> = { fromDate: null, toDate: null };
  for (const name of ['fromDate', 'toDate'] as const) {
    const text = params.get(name);
    if (text === null || text === '') continue;
    if (!/^\d{1,12}$/.test(text)) return problem(400, `${name}: expected epoch seconds, found "${text}"`);
    seconds[name] = Number(text);
  }
  const state = params.get('state');
  if (state !== null && state !== 'true' && state !== 'false') return problem(400, `state: found "${state}"`);
  return {
    filter: params.get('filter'),
    fromDateSeconds: seconds.fromDate,
    toDateSeconds: seconds.toDate,
    currentOnly: state === 'true',
  };
}

/** The events that a request selects, or a 400 that says where its filter is wrong. */
export function selectionOf(
  desk: { readonly world: EventWorld; readonly tokens: TokenTable },
  params: URLSearchParams,
): Selection | Answer {
  const question = questionOf(params);
  if (isAnswer(question)) return question;
  const selection = selectEvents(desk.world, desk.tokens, question);
  return isFilterProblem(selection)
    ? problem(400, `invalid filter at ${selection.at}: ${selection.problem}`)
    : selection;
}

/** A whole number from 0; `missing` where it is absent, null where it is anything else. */
export function wholeNumber(params: URLSearchParams, name: string, missing: number): number | null {
  const text = params.get(name);
  if (text === null || text === '') return missing;
  return /^\d{1,9}$/.test(text) ? Number(text) : null;
}

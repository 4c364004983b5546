import { afterEach } from 'vitest';
import { type JsonObject, type Simulator, type SimulatorOptions, startSimulator } from '../src/index.ts';

export const DAY_MS = 86_400_000;
export const START_MS = Date.UTC(2020, 7, 17);

const running: Simulator[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((simulator) => simulator.close()));
});

/** A simulator that ends with the test; two days from 2020-08-17 unless stated otherwise. */
export async function gateway(options: Partial<SimulatorOptions> = {}): Promise<Simulator> {
  const range = { startMs: START_MS, endMs: START_MS + 2 * DAY_MS };
  const simulator = await startSimulator({ events: 3000, range, seed: 7, ...options });
  running.push(simulator);
  return simulator;
}

export interface Answered {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  json<T = JsonObject[]>(): T;
}

export async function login(simulator: Simulator, form: Record<string, string> = {}): Promise<Answered> {
  const fields = { username: 'demo', password: 'demo', token: 'true', ...form };
  return answered(await fetch(`${simulator.url}/auth`, { method: 'POST', body: new URLSearchParams(fields) }));
}

async function answered(response: Response): Promise<Answered> {
  const text = await response.text();
  return { status: response.status, headers: response.headers, text, json: () => JSON.parse(text) };
}

/** A logged-in reader of `/ioc/events…`. */
export async function reader(simulator: Simulator, prefix = '/ioc') {
  const { text: token } = await login(simulator);
  return async (path: string, params: Record<string, string> = {}, headers: Record<string, string> = {}) => {
    const query = new URLSearchParams(params);
    return answered(
      await fetch(`${simulator.url}${prefix}/events${path}?${query}`, {
        headers: { authorization: `Bearer ${token}`, 'accept-encoding': 'identity', ...headers },
      }),
    );
  };
}

export type Reader = Awaited<ReturnType<typeof reader>>;

export async function countOf(read: Reader, filter: string, params: Record<string, string> = {}): Promise<number> {
  return (await read('/count', { filter, ...params })).json<{ count: number }>().count;
}

/** `token : ['…Z' .. '…Z']`, half-open in, inclusive milliseconds out. */
export function between(startMs: number, endMs: number, token = 'event.dateTime'): string {
  return `${token} : ['${new Date(startMs).toISOString()}' .. '${new Date(endMs - 1).toISOString()}']`;
}

/** Every page of a query, one after another. */
export async function allPages(read: Reader, params: Record<string, string>, pageSize = 1000): Promise<JsonObject[]> {
  const rows: JsonObject[] = [];
  for (let pageNumber = 0; pageNumber < 10_000 / pageSize; pageNumber += 1) {
    const answer = await read('', { ...params, pageNumber: String(pageNumber), pageSize: String(pageSize) });
    if (answer.status !== 200) throw new RangeError(`page ${pageNumber}: ${answer.status} ${answer.text}`);
    const page = answer.json();
    rows.push(...page);
    if (page.length < pageSize) break;
  }
  return rows;
}

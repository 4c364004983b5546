import { Readable } from 'node:stream';
import { backfill, connect, defineDataset, EdrlakeError, type EventQuery, field, openLake } from 'edrlake';

/** The events of doors, from an API that counts and lists them between two times. */
export const DOORS = defineDataset({
  name: 'doors',
  identity: 'uuid',
  times: { event: 'opened', processed: 'received' },
  tables: {
    events: {
      columns: [
        field('event_type', 'text', 'kind', 'OPENED, CLOSED or FORCED'),
        field('door', 'text', 'door.name', 'name of the door'),
        field('floor', 'integer', 'door.floor', 'floor that it is on'),
        field('battery_volts', 'text', 'battery', 'voltage of its battery, as delivered'),
      ],
      sortBy: ['door'],
    },
    children: {
      badges: {
        arrays: 'badges',
        columns: [field('badge', 'text', 'number', 'number of a badge that was shown')],
      },
    },
  },
  source: (baseUrl: string) => ({
    name: new URL(baseUrl).host,
    pageSize: 100,
    maxResultWindow: 1_000,
    count: async (query, signal) => {
      const { count } = (await (await ask(baseUrl, '/events/count', query, {}, signal)).json()) as { count: number };
      return count;
    },
    page: async (query, pageNumber, read, signal, { pageSize, reversed }) => {
      const order = reversed ? 'newest' : 'oldest';
      const answer = await ask(baseUrl, '/events', query, { page: pageNumber, size: pageSize, order }, signal);
      return read(answer.body ?? Readable.from([]));
    },
  }),
});

async function ask(
  baseUrl: string,
  path: string,
  { axis, range }: EventQuery,
  more: Readonly<Record<string, string | number>>,
  signal: AbortSignal,
): Promise<Response> {
  const params = { by: axis, from: range.startMs, to: range.endMs, ...more };
  const query = new URLSearchParams(
    Object.entries(params).map(([name, value]): [string, string] => [name, `${value}`]),
  );
  const answer = await fetch(`${baseUrl}${path}?${query}`, { signal });
  if (answer.ok) return answer;
  throw new EdrlakeError('SERVER_ERROR', `${path} answered ${answer.status}`, { disposition: 'retry' });
}

/** Exports a UTC day into a lake. Running it again fetches nothing that is proven. */
export async function exportDoors(baseUrl: string, directory: string, day: string) {
  const lake = await openLake(directory, { dataset: DOORS });
  try {
    const source = await connect({ dataset: DOORS, access: baseUrl });
    return await backfill(lake, source, { from: day, to: day });
  } finally {
    await lake.close();
  }
}

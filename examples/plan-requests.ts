import { type EventSource, NO_FILTER, timeRange } from '@edrlake/core';
import { planWindows } from '@edrlake/pager';

/**
 * Any API that counts events in a time range and gives them in pages can be planned. This one has its events in memory,
 * and neither histograms nor cursors.
 * @param timesMs of all events, ascending, in UTC epoch milliseconds
 */
function memorySource(timesMs: readonly number[]): EventSource {
  return {
    name: 'memory',
    maxResultWindow: 10_000,
    pageSize: 1_000,
    idFields: ['id'],
    histogram: null,
    cursor: null,
    count: async ({ range }) => timesMs.filter((ms) => ms >= range.startMs && ms < range.endMs).length,
    groups: async () => [],
    page: async ({ range }, pageNumber, read) => {
      const events = timesMs.map((time, id) => ({ id, time })).filter(({ time }) => time >= range.startMs);
      const page = events.filter(({ time }) => time < range.endMs).slice(pageNumber * 1_000, (pageNumber + 1) * 1_000);
      return await read(
        (async function* () {
          yield new TextEncoder().encode(JSON.stringify(page));
        })(),
      );
    },
  };
}

/**
 * Divides an hour with a burst of events into windows that paging can reach, from counts alone.
 * @returns lines to print
 */
export async function planRequests(): Promise<string[]> {
  const range = timeRange(Date.UTC(2020, 7, 17), Date.UTC(2020, 7, 17, 1));
  const calm = Array.from({ length: 3_000 }, (_, index) => range.startMs + index * 1_200);
  const burst = Array.from({ length: 30_000 }, (_, index) => range.startMs + 1_800_000 + index * 2);
  const source = memorySource([...calm, ...burst].sort((a, b) => a - b));
  const signal = AbortSignal.timeout(60_000);
  const plan = await planWindows(source, { axis: 'event', range, scope: NO_FILTER }, { signal, emit: () => {} });
  const windows = plan.windows.map(({ window, count }) => {
    const [start, end] = [window.range.startMs, window.range.endMs].map((ms) =>
      new Date(ms).toISOString().slice(11, 23),
    );
    return `${start} to ${end}: ${count} events`;
  });
  return [...windows, `${plan.events} events, ${plan.planRequests} counts, ${plan.pages} pages`];
}

import { createQualysSource, type FilterTokens, type GatewayClient, type SelectionParams } from '@edrlake/client';
import { EdrlakeError, type EventSource } from '@edrlake/core';
import type { PlatformAccess } from '../define/platform-access.ts';

const SEARCH = '/fim/v2/events/search';
const COUNT = '/fim/v2/events/count';

/**
 * The time tokens are documented, with `processedTime` for events since release 2.0.2. The other two are the fields of
 * a record; they are used only where one millisecond holds more events than paging reaches.
 */
const TOKENS: FilterTokens = {
  timeTokens: { event: 'dateTime', processed: 'processedTime' },
  typeToken: 'type',
  agentToken: 'asset.agentId',
};

/**
 * The events of the FIM API. It documents no histogram and no cursor, so ranges are divided by counts and read by page
 * numbers. It delivers the last 15 months.
 * @throws {EdrlakeError} `CONFIG_INVALID` where not even one page fits, or a cursor or histogram is asked for
 */
export function openFimSource({ client, timeTokens, walk, histogram, ...options }: PlatformAccess): EventSource {
  if (walk === 'searchAfter' || histogram === 'on') {
    throw new EdrlakeError('CONFIG_INVALID', 'the FIM API has neither a cursor nor histograms', {
      hint: 'Leave out --walk and --histogram.',
    });
  }
  return createQualysSource(posting(client), {
    ...options,
    ...TOKENS,
    timeTokens: { ...TOKENS.timeTokens, ...timeTokens },
    groupBy: { type: 'type', agent: 'asset.agentId' },
    histogram: 'off',
    idFields: ['id'],
  });
}

/** The client with the three questions of an event source asked of the FIM API. */
function posting(client: GatewayClient): GatewayClient {
  return {
    ...client,
    events: ({ pageNumber, pageSize, sort, ...selection }, read, signal) => {
      // The sort is JSON in a string, as the documents have it.
      const question = { ...selected(selection), pageNumber, pageSize, sort: JSON.stringify(sort ?? []) };
      return client.postedPage({ path: SEARCH, question }, read, signal);
    },
    count: (selection, signal) => client.postedCount({ path: COUNT, question: selected(selection) }, signal),
    groupedCount: ({ groupBy, limit, ...selection }, signal) =>
      client.postedGroups({ path: COUNT, question: { ...selected(selection), groupBy, limit } }, signal),
  };
}

function selected({ filter, state }: SelectionParams): { readonly filter: string } {
  if ((state ?? null) === null) return { filter: filter ?? '' };
  throw new EdrlakeError('USAGE', 'events of the FIM API belong to no state', { hint: 'Leave out --state.' });
}

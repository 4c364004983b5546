import { definePipeline } from 'edrlake';

/**
 * What runs every night: bring in what the platform has processed since the last run, compare the last days with the
 * API, repair what differs, and keep the lake tidy. Every task can be repeated; a killed run goes on where it stopped.
 */
export default definePipeline({
  name: 'nightly',
  description: 'sync, prove the last days, tidy up',
  schedule: { cron: '15 2 * * *', timeZone: 'UTC' },
  // Its requests go before those of a backfill that works on the same lake.
  priority: 'high',
  params: {
    since: { type: 'day', meaning: 'where the very first sync begins', default: '2020-01-01' },
    byEventTime: {
      type: 'boolean',
      meaning: 'follow the time of the events, on platforms that cannot be searched by processing time',
      default: false,
    },
    days: { type: 'number', meaning: 'days that are compared with the API', default: 7 },
    recounts: { type: 'number', meaning: 'requests for counting proven days again', default: 20 },
  },
  tasks: {
    sync: {
      uses: 'sync',
      with: ({ params: { since, byEventTime } }) =>
        // By event time only what is late by less than the look-back is found: five days.
        byEventTime ? { since, axis: 'event', lookBackHours: 120 } : { since },
      retries: { attempts: 3, firstDelayMs: 60_000, maxDelayMs: 600_000 },
    },
    reconcile: {
      uses: 'reconcile',
      needs: ['sync'],
      with: ({ params }) => ({ lastDays: params.days, mismatchCounts: false }),
    },
    // Days that were proven 1, 3, 7, 30 and 90 days ago: what came after all is found without asking for each day.
    recount: {
      uses: 'recount',
      needs: ['reconcile'],
      with: ({ params }) => ({ maxRequests: params.recounts, mismatchCounts: false }),
    },
    repair: {
      uses: 'repair',
      needs: ['reconcile', 'recount'],
      with: ({ outputs }) => ({
        days: [...outputs.reconcile.differing, ...outputs.recount.differing].map(({ day }) => day),
      }),
    },
    // The lists in the folder `hunts`; `hooks: { onMatch: { url } }` is called for what is found.
    hunt: { uses: 'hunt', needs: ['repair'] },
    // Sources that fell silent, and days far below their expectation; `hooks: { onQuiet: { url } }` is called for them.
    quiet: { uses: 'quiet', needs: ['repair'], with: {} },
    compact: { uses: 'compact', needs: ['repair'], with: {} },
    vacuum: { uses: 'vacuum', needs: ['compact'], with: {} },
    'one-row-per-event': {
      uses: 'query',
      needs: ['repair'],
      with: { sql: 'select event_id from events group by event_id having count(*) > 1', expect: 'no rows' },
    },
  },
});

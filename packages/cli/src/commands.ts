import type { ListedCommand } from './args/command.ts';

/** Every command, in the order a newcomer meets them. */
export const COMMANDS: readonly ListedCommand[] = [
  {
    name: 'demo',
    describe: 'Export a simulated week and query it, with nothing to set up',
    load: () => import('./commands/demo.ts'),
  },
  {
    name: 'init',
    describe: 'Write a commented edrlake.config.ts and pipelines/nightly.ts',
    load: () => import('./commands/init.ts'),
  },
  {
    name: 'doctor',
    describe: 'Check login, time tokens, limits, clock and lake, and advise',
    load: () => import('./commands/doctor.ts'),
  },
  {
    name: 'plan',
    describe: 'Show windows, requests and duration of an export',
    load: () => import('./commands/plan.ts'),
  },
  {
    name: 'backfill',
    describe: 'Export a range of days into the lake and prove it complete',
    load: () => import('./commands/backfill.ts'),
  },
  {
    name: 'sync',
    describe: 'Bring in what was processed since the last sync',
    load: () => import('./commands/sync.ts'),
  },
  {
    name: 'status',
    describe: 'Show what the lake holds and the verdict of each day',
    load: () => import('./commands/status.ts'),
  },
  {
    name: 'serve',
    describe: 'Show the lake as a page in the browser',
    load: () => import('./commands/serve.ts'),
  },
  {
    name: 'reconcile',
    describe: 'Compare each day between the API and the lake, and repair it',
    load: () => import('./commands/reconcile.ts'),
  },
  {
    name: 'gate',
    describe: 'Exit with 0 only if every day of a range is proven',
    load: () => import('./commands/gate.ts'),
  },
  {
    name: 'verify',
    describe: 'Read every data file and compare it with what was committed',
    load: () => import('./commands/verify.ts'),
  },
  { name: 'run', describe: 'Run a pipeline, such as nightly', load: () => import('./commands/run.ts') },
  { name: 'schedule', describe: 'Run pipelines whenever they are due', load: () => import('./commands/schedule.ts') },
  {
    name: 'worker',
    describe: 'Do the tasks of runs that a Temporal server hands out',
    load: () => import('./commands/worker.ts'),
  },
  {
    name: 'runs',
    describe: 'List the runs of the lake, or show one in full',
    load: () => import('./commands/runs.ts'),
  },
  {
    name: 'requests',
    describe: 'Show what was asked of the API by hour, and what is left',
    load: () => import('./commands/requests.ts'),
  },
  { name: 'query', describe: 'Ask the lake in SQL', load: () => import('./commands/query.ts') },
  {
    name: 'event',
    describe: 'Show one event with all its rows, and where it comes from',
    load: () => import('./commands/event.ts'),
  },
  {
    name: 'tree',
    describe: 'Show the process tree around an event, or of a host',
    load: () => import('./commands/tree.ts'),
  },
  {
    name: 'enrich',
    describe: 'Ask the API for the details of stored events',
    load: () => import('./commands/enrich.ts'),
  },
  {
    name: 'drift',
    describe: 'Show every delivered field that no column takes',
    load: () => import('./commands/drift.ts'),
  },
  {
    name: 'promote',
    describe: 'Make a field that no column takes a column of its table',
    load: () => import('./commands/promote.ts'),
  },
  {
    name: 'demote',
    describe: 'Undo edrlake promote: put the values back into extra',
    load: () => import('./commands/demote.ts'),
  },
  {
    name: 'hunt',
    describe: 'Look for hashes, addresses, names and paths in the lake',
    load: () => import('./commands/hunt.ts'),
  },
  {
    name: 'export',
    describe: 'Write a table or a query as Arrow, Parquet, CSV or NDJSON',
    load: () => import('./commands/export.ts'),
  },
  {
    name: 'schema',
    describe: 'Show the tables of a lake, and what their columns mean',
    load: () => import('./commands/schema.ts'),
  },
  {
    name: 'publish delta',
    describe: 'Publish the tables and their history as Delta Lake tables',
    load: () => import('./commands/publish-delta.ts'),
  },
  {
    name: 'publish iceberg',
    describe: 'Publish the tables and their history as Iceberg tables',
    load: () => import('./commands/publish-iceberg.ts'),
  },
  {
    name: 'publish ducklake',
    describe: 'Publish tables and their history as a DuckLake catalogue',
    load: () => import('./commands/publish-ducklake.ts'),
  },
  {
    name: 'publish ocsf',
    describe: 'Publish the events as OCSF classes, also for Security Lake',
    load: () => import('./commands/publish-ocsf.ts'),
  },
  {
    name: 'connect',
    describe: 'Print what to paste to read the lake with another program',
    load: () => import('./commands/connect.ts'),
  },
  { name: 'sql', describe: 'A small SQL shell over the lake', load: () => import('./commands/sql.ts') },
  {
    name: 'compact',
    describe: 'Merge the small files of each day into few, and sort them',
    load: () => import('./commands/compact.ts'),
  },
  {
    name: 'index',
    describe: 'Begin, complete or rebuild the index that hunts use',
    load: () => import('./commands/index.ts'),
  },
  {
    name: 'migrate',
    describe: 'Rewrite the data files of an older lake format',
    load: () => import('./commands/migrate.ts'),
  },
  {
    name: 'deduplicate',
    describe: 'Leave one copy of each event, the newest',
    load: () => import('./commands/deduplicate.ts'),
  },
  {
    name: 'rebuild-log',
    describe: 'Make the commit log anew from the data files',
    load: () => import('./commands/rebuild-log.ts'),
  },
  { name: 'vacuum', describe: 'Delete files that no recent version needs', load: () => import('./commands/vacuum.ts') },
  { name: 'count', describe: 'Ask the API how many events there are', load: () => import('./commands/count.ts') },
  {
    name: 'simulate',
    describe: 'Run a simulated gateway on this machine',
    load: () => import('./commands/simulate.ts'),
  },
  {
    name: 'completion',
    describe: 'Print a completion script for bash or zsh',
    load: () => import('./commands/completion.ts'),
  },
];

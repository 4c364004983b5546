import type { CommandSpec } from './command.ts';
import { FAULT_FORMS, FAULT_GRAMMAR } from './fault-text.ts';
import type { FlagName } from './flags.ts';

const OUTPUT: readonly FlagName[] = ['config', 'json', 'log-level', 'no-progress'];
const GATEWAY: readonly FlagName[] = ['platform', 'base-url', 'api-prefix', 'page-size', 'concurrency', 'rate-limit'];
const GATEWAY_ODDITIES: readonly FlagName[] = [
  'max-result-window',
  'event-time-token',
  'processed-time-token',
  'histogram',
  'walk',
];
const RANGE: readonly FlagName[] = ['from', 'to', 'filter', 'state'];
const LAKE: readonly FlagName[] = ['lake', 'memory-limit', 'threads'];

/** Every command, in the order a newcomer meets them. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    name: 'demo',
    summary: 'Export a simulated week and query it, with nothing to set up',
    details: [
      'Starts a simulated gateway on this machine, plans and exports 120,000 events of seven days, proves them against its counts and asks the lake three questions. Needs no network and no account. A second run finds nothing new.',
    ],
    positionals: [],
    flags: ['lake', 'memory-limit', 'threads', 'json', 'log-level', 'no-progress'],
    flagTexts: { lake: { describe: 'Directory of the lake', defaultText: './lake/demo' } },
    examples: [
      { command: 'edrlake demo', purpose: 'the lake is kept in ./lake/demo' },
      { command: 'edrlake demo --lake /tmp/demo', purpose: 'the same, elsewhere' },
    ],
    readsConfiguration: false,
    load: () => import('./commands/demo.ts'),
  },
  {
    name: 'init',
    summary: 'Write a commented edrlake.config.ts and pipelines/nightly.ts',
    details: ['Writes both into the working directory. Existing files stay unless --force is given.'],
    positionals: [],
    flags: ['platform', 'base-url', 'lake', 'force', 'json', 'log-level'],
    examples: [
      { command: 'edrlake init --platform EU1', purpose: 'for the platform EU1' },
      { command: 'edrlake init --force', purpose: 'write a fresh file over the old one' },
    ],
    readsConfiguration: false,
    load: () => import('./commands/init.ts'),
  },
  {
    name: 'doctor',
    summary: 'Check login, time tokens, limits, clock and lake, with advice',
    details: [
      'Makes a few requests that change nothing, and looks at a sample of the lake. With --lake and neither --platform nor --base-url it looks at the lake alone, without a network: each file, checksum and id, and says for each damage what it means and the command that repairs it.',
      'Exit code 0 only where nothing is wrong, 1 when a check fails, 2 for credentials or settings.',
    ],
    positionals: [],
    flags: ['from', 'to', ...GATEWAY, ...GATEWAY_ODDITIES, ...LAKE, ...OUTPUT],
    flagTexts: {
      from: { describe: 'First UTC day to look for events in', defaultText: '30 days ago' },
      to: { describe: 'Last UTC day to look for events in', defaultText: 'yesterday' },
    },
    examples: [
      { command: 'edrlake doctor --platform US1', purpose: 'before the first export' },
      { command: 'edrlake doctor --lake /data/edr', purpose: 'is the lake sound?' },
      { command: 'edrlake doctor --json', purpose: 'for a monitor' },
    ],
    readsConfiguration: true,
    load: () => import('./commands/doctor.ts'),
  },
  {
    name: 'plan',
    summary: 'Show windows, requests and duration of an export',
    details: ['Fetches counts only, no events. The counting requests are part of what an export needs.'],
    positionals: [],
    flags: [...RANGE, 'all', ...GATEWAY, ...GATEWAY_ODDITIES, 'lake', ...OUTPUT],
    flagTexts: {
      lake: { describe: 'Lake whose proven windows are left out of what is still to do', defaultText: './lake' },
    },
    examples: [
      { command: 'edrlake plan --from 2020-08-17 --to 2020-08-19', purpose: 'three days' },
      { command: 'edrlake plan --from 2020-08-17 --to 2020-08-17 --all --json', purpose: 'every window, for a script' },
    ],
    readsConfiguration: true,
    load: () => import('./commands/plan.ts'),
  },
  {
    name: 'backfill',
    summary: 'Export a range of days into the lake and prove it complete',
    details: [
      'Safe to interrupt and to repeat: what is proven is kept, an unfinished run is resumed, and a range that is complete costs only counts.',
      'With --only, just the stretches in that state are fetched, by default among all days the lake knows.',
      'Exit codes: 0 all proven, 3 some windows failed or are unverified (run again), 4 the lake and the API disagree, 6 too many records were rejected.',
    ],
    positionals: [],
    flags: [
      ...RANGE,
      'only',
      'max-reject-share',
      'force',
      'replace',
      ...GATEWAY,
      ...GATEWAY_ODDITIES,
      ...LAKE,
      ...OUTPUT,
    ],
    examples: [
      { command: 'edrlake backfill --from 2020-08-17 --to 2020-08-19', purpose: 'three whole days' },
      {
        command: "edrlake backfill --from 2020-08-17 --to 2020-08-17 --filter 'type: FILE'",
        purpose: 'only file events',
      },
      { command: 'edrlake backfill --only missing', purpose: 'what was never fetched between' },
    ],
    readsConfiguration: true,
    load: () => import('./commands/backfill.ts'),
  },
  {
    name: 'sync',
    summary: 'Bring in what was processed since the last sync',
    details: [
      'Follows the time at which the platform processed an event, so that events which arrive days late are found; they land on the day they happened. The first sync needs --since. On a platform that cannot be searched so, --axis event follows the time of the events and finds what is late by less than the look-back. Safe to interrupt and to repeat.',
      'Exit codes: 0 all proven, 3 some windows failed or are unverified (run again), 4 the lake and the API disagree, 6 too many records were rejected.',
    ],
    positionals: [],
    flags: [
      'since',
      'look-back',
      'settle-lag',
      'axis',
      'max-reject-share',
      'filter',
      'state',
      ...GATEWAY,
      ...GATEWAY_ODDITIES,
      ...LAKE,
      ...OUTPUT,
    ],
    flagTexts: {
      'look-back': {
        describe: 'How far behind the watermark to look for late events',
        defaultText: '6h, or 5d with --axis event',
      },
    },
    examples: [
      { command: 'edrlake sync --since 2026-11-01', purpose: 'the first time' },
      { command: 'edrlake sync', purpose: 'every night' },
      { command: 'edrlake sync --axis event --look-back 5d', purpose: 'by the time of the events' },
    ],
    readsConfiguration: true,
    load: () => import('./commands/sync.ts'),
  },
  {
    name: 'status',
    summary: 'Show what the lake holds and the verdict of each day',
    details: [
      'A calendar of all days, what is newest, the last run. With --max-age, exit code 4 says that nothing was proven for too long.',
    ],
    positionals: [],
    flags: ['max-age', ...LAKE, ...OUTPUT],
    examples: [
      { command: 'edrlake status', purpose: 'the lake in ./lake' },
      { command: 'edrlake status --max-age 26h', purpose: 'for cron: complains when a night was missed' },
      { command: 'edrlake status --lake /data/edr --json', purpose: 'for a monitor' },
    ],
    readsConfiguration: true,
    load: () => import('./commands/status.ts'),
  },
  {
    name: 'reconcile',
    summary: 'Compare each day between the API and the lake, and repair it',
    details: [
      'Compares what the API counts now with the rows and ids in the data files, by default for all days the lake knows up to yesterday. One request compares many days. With --repair only the stretches that differ are fetched.',
      'Exit code 4 when something differs, after a repair when something still does.',
    ],
    positionals: [],
    flags: ['from', 'to', 'by', 'repair', 'max-reject-share', ...GATEWAY, ...GATEWAY_ODDITIES, ...LAKE, ...OUTPUT],
    flagTexts: {
      from: { describe: 'First UTC day to compare', defaultText: 'the first in the lake' },
      to: { describe: 'Last UTC day to compare', defaultText: 'the last, at most yesterday' },
    },
    examples: [
      { command: 'edrlake reconcile', purpose: 'all days' },
      { command: 'edrlake reconcile --from 2026-11-14 --to 2026-11-20 --repair', purpose: 'a week, and repair it' },
      { command: 'edrlake reconcile --from 2026-11-20 --to 2026-11-20 --by type', purpose: 'where it differs' },
    ],
    readsConfiguration: true,
    load: () => import('./commands/reconcile.ts'),
  },
  {
    name: 'run',
    summary: 'Run a pipeline, such as nightly',
    details: [
      'A pipeline is a file that exports definePipeline({ … }) from edrlake. A name means a file in ./pipelines, or one that comes with edrlake: nightly and backfill. What a run does is journaled; one that failed or was stopped goes on with --resume.',
      'Exit codes: 0 done, 1 a task failed, 2 settings or credentials are what failed it, 3 partly done, 4 the lake and the API disagree, 6 too many records were rejected, 130 interrupted.',
    ],
    positionals: [{ name: 'pipeline', describe: 'Name of a pipeline, or path of its file', required: false }],
    flags: ['param', 'dry-run', 'resume', 'max-reject-share', ...GATEWAY, ...GATEWAY_ODDITIES, ...LAKE, ...OUTPUT],
    examples: [
      { command: 'edrlake run nightly', purpose: 'sync, compare, repair, compact, vacuum' },
      { command: 'edrlake run ./my.ts --param from=2026-11-01 --dry-run', purpose: 'what it would do' },
      { command: 'edrlake run --resume 20261122T003012Z-1f9a2c', purpose: 'go on with a run' },
    ],
    readsConfiguration: true,
    load: () => import('./commands/run.ts'),
  },
  {
    name: 'schedule',
    summary: 'Run pipelines whenever they are due',
    details: [
      'Stays and runs each pipeline at the times its schedule says, never beside itself. After missed times there is one run, if the lake lacks anything. Ctrl-C stops it; a run that is going on is journaled and worked off at the next start.',
    ],
    positionals: [
      {
        name: 'pipeline',
        describe: 'Pipelines; by default all in ./pipelines with a schedule',
        required: false,
        repeats: true,
      },
    ],
    flags: ['max-reject-share', ...GATEWAY, ...GATEWAY_ODDITIES, ...LAKE, ...OUTPUT.slice(0, 1), 'log-level'],
    examples: [
      { command: 'edrlake schedule nightly', purpose: 'every night' },
      { command: 'edrlake schedule nightly ./weekly.ts', purpose: 'two pipelines' },
    ],
    readsConfiguration: true,
    load: () => import('./commands/schedule.ts'),
  },
  {
    name: 'runs',
    summary: 'List the runs of the lake, or show one in full',
    details: ['Pipelines and exports, newest first, with what they did and how they ended.'],
    positionals: [{ name: 'id', describe: 'Id of a run, or the last part of it', required: false }],
    flags: ['limit', ...LAKE, ...OUTPUT],
    flagTexts: { limit: { describe: 'Runs to list', defaultText: '20' } },
    examples: [
      { command: 'edrlake runs', purpose: 'the newest' },
      { command: 'edrlake runs 20261122T003012Z-1f9a2c', purpose: 'tasks, tries, requests, errors' },
    ],
    readsConfiguration: true,
    load: () => import('./commands/runs.ts'),
  },
  {
    name: 'query',
    summary: 'Ask the lake in SQL',
    details: [
      'Tables: events, certificates, indicators, interfaces, asset_tags, rejects, coverage, commits, windows. The SQL comes from the argument, or from standard input where it is - or missing.',
    ],
    positionals: [{ name: 'sql', describe: 'DuckDB SQL, or - for standard input', required: false }],
    flags: ['format', 'output', ...LAKE, ...OUTPUT],
    examples: [
      { command: 'edrlake query "select event_type, count(*) from events group by all"', purpose: 'a table' },
      { command: 'edrlake query "from events limit 1000" --format csv > events.csv', purpose: 'for a spreadsheet' },
      { command: 'edrlake query - --format parquet --output hosts.parquet < hosts.sql', purpose: 'a file' },
    ],
    readsConfiguration: true,
    load: () => import('./commands/query.ts'),
  },
  {
    name: 'sql',
    summary: 'A small SQL shell over the lake',
    details: ['Statements end with a semicolon. .help lists what else it understands. Ctrl-C stops a running query.'],
    positionals: [],
    flags: ['format', ...LAKE, 'config', 'json', 'log-level'],
    examples: [
      { command: 'edrlake sql', purpose: 'the lake in ./lake' },
      { command: 'edrlake sql --format csv < report.sql', purpose: 'run a file of statements' },
    ],
    readsConfiguration: true,
    load: () => import('./commands/sql.ts'),
  },
  {
    name: 'compact',
    summary: 'Merge the small files of each day into few, and sort them',
    details: [
      'What a backfill or sync writes is in order of arrival. Sorted, a host, a hash or an issuer is found without reading whole days.',
      'No row changes: each new file is compared with what it replaces before it takes its place. Days that need nothing are left alone. Safe to interrupt, and beside other runs.',
    ],
    positionals: [],
    flags: ['from', 'to', ...LAKE, ...OUTPUT],
    flagTexts: {
      from: { describe: 'First UTC day to compact', defaultText: 'all' },
      to: { describe: 'Last UTC day to compact', defaultText: 'all' },
    },
    examples: [
      { command: 'edrlake compact', purpose: 'every day that needs it' },
      { command: 'edrlake compact --from 2026-11-01 --to 2026-11-21', purpose: 'three weeks' },
    ],
    readsConfiguration: true,
    load: () => import('./commands/compact.ts'),
  },
  {
    name: 'deduplicate',
    summary: 'Leave one copy of each event, the newest',
    details: [
      'No run of edrlake stores an event twice; damaged or restored files may. The newest copy stays, of equal ones the one committed last, with the child rows that came with it. Child rows without an event go. A damaged identity index is made anew. One commit; needs no network.',
    ],
    positionals: [],
    flags: ['from', 'to', ...LAKE, ...OUTPUT],
    flagTexts: {
      from: { describe: 'First UTC day to look at', defaultText: 'all' },
      to: { describe: 'Last UTC day to look at', defaultText: 'all' },
    },
    examples: [
      { command: 'edrlake deduplicate', purpose: 'the whole lake' },
      { command: 'edrlake deduplicate --from 2026-11-01 --to 2026-11-21', purpose: 'three weeks' },
    ],
    readsConfiguration: true,
    load: () => import('./commands/deduplicate.ts'),
  },
  {
    name: 'rebuild-log',
    summary: 'Make the commit log anew from the data files',
    details: [
      'For a lake whose log is lost, has a hole or cannot be read. Every row that is there stays, each event once; nothing counts as proven any more. The old log is kept beside the new one. Needs no network; no other process may work on the lake.',
    ],
    positionals: [],
    flags: ['force', ...LAKE, ...OUTPUT],
    flagTexts: { force: { describe: 'Also where the log can be followed; its proofs are lost', defaultText: null } },
    examples: [
      { command: 'edrlake rebuild-log --lake /data/edr', purpose: 'of a lake that is refused' },
      { command: 'edrlake rebuild-log --json', purpose: 'for a script' },
    ],
    readsConfiguration: true,
    load: () => import('./commands/rebuild-log.ts'),
  },
  {
    name: 'vacuum',
    summary: 'Delete files that no recent version needs',
    details: [
      'Files that were replaced, and what crashes left behind, once older than the grace period. Safe beside other runs.',
    ],
    positionals: [],
    flags: ['grace', 'dry-run', ...LAKE, ...OUTPUT],
    examples: [
      { command: 'edrlake vacuum --dry-run', purpose: 'see what would go' },
      { command: 'edrlake vacuum --grace 2d', purpose: 'keep two days' },
    ],
    readsConfiguration: true,
    load: () => import('./commands/vacuum.ts'),
  },
  {
    name: 'count',
    summary: 'Ask the API how many events there are',
    details: ['One request. Without --from and --to it counts everything.'],
    positionals: [],
    flags: [...RANGE, 'group-by', 'interval', 'limit', 'sort', ...GATEWAY, ...GATEWAY_ODDITIES.slice(1, 3), ...OUTPUT],
    examples: [
      { command: 'edrlake count --from 2020-08-17 --to 2020-08-17', purpose: 'one day' },
      { command: 'edrlake count --group-by agentId --limit 10', purpose: 'the busiest agents' },
      { command: "edrlake count --filter 'type: FILE' --group-by dateTime --interval 1d", purpose: 'by day' },
    ],
    readsConfiguration: true,
    load: () => import('./commands/count.ts'),
  },
  {
    name: 'event',
    summary: 'Show everything the API knows about one event',
    details: ['Prints the JSON as the API gives it, indented.'],
    positionals: [
      { name: 'agent-id', describe: 'Agent id of the event', required: true },
      { name: 'event-id', describe: 'Id of the event', required: true },
    ],
    flags: ['state', ...GATEWAY, ...OUTPUT],
    examples: [
      {
        command: 'edrlake event 7a1f61a2-1b5e-4a52-9d4c-3a6e3f3a6f10 RTF_7a1f_55',
        purpose: 'ids as in the events table',
      },
      { command: 'edrlake event "$AGENT" "$EVENT" | jq .file', purpose: 'one section' },
    ],
    readsConfiguration: true,
    load: () => import('./commands/event.ts'),
  },
  {
    name: 'simulate',
    summary: 'Run a simulated gateway on this machine',
    details: [
      'Serves made-up events on 127.0.0.1 until Ctrl-C, behaves like the API and, on request, misbehaves like it.',
    ],
    positionals: [],
    flags: [
      'port',
      'seed',
      'events',
      'busy-minutes',
      'busy-second',
      'max-page-size',
      'clock-skew',
      'fault',
      'from',
      'to',
      'rate-limit',
      'json',
      'config',
      'log-level',
    ],
    flagTexts: {
      from: { describe: 'First UTC day of the events', defaultText: '2020-08-17' },
      to: { describe: 'Last UTC day of the events', defaultText: '2020-08-23' },
      'rate-limit': { describe: 'Requests it allows, or none', defaultText: '1000000/3600' },
    },
    tables: [{ title: 'Faults', rows: FAULT_FORMS, text: FAULT_GRAMMAR }],
    examples: [
      { command: 'edrlake simulate --port 8080 --events 300000', purpose: 'with the default week' },
      { command: 'edrlake simulate --fault status:500@3 --fault reset@10', purpose: 'with two faults' },
    ],
    readsConfiguration: true,
    load: () => import('./commands/simulate.ts'),
  },
  {
    name: 'completion',
    summary: 'Print a completion script for bash or zsh',
    details: ['bash: edrlake completion bash >> ~/.bashrc', 'zsh: edrlake completion zsh >> ~/.zshrc'],
    positionals: [{ name: 'shell', describe: 'bash or zsh; by default that of $SHELL', required: false }],
    flags: ['json', 'log-level'],
    examples: [
      { command: 'edrlake completion bash >> ~/.bashrc', purpose: 'for bash' },
      { command: 'edrlake completion zsh >> ~/.zshrc', purpose: 'for zsh' },
    ],
    readsConfiguration: false,
    load: () => import('./commands/completion.ts'),
  },
];

/** Flags that say where and how, and harm nothing where they mean nothing: people give them to every command alike. */
const COMMON: readonly FlagName[] = ['lake', ...GATEWAY, ...OUTPUT];

/** The flags a command takes: its own, and where it reads the configuration also those that are common to all. */
export function acceptedFlags(command: CommandSpec): readonly FlagName[] {
  return command.readsConfiguration ? [...new Set([...command.flags, ...COMMON])] : command.flags;
}

/** The command of that name, or null. */
export function commandNamed(name: string): CommandSpec | null {
  return COMMANDS.find((command) => command.name === name) ?? null;
}

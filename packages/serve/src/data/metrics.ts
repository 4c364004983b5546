import { MS_PER_SECOND } from '@edrlake/core';
import { type LakeStatus, quietLine, readLakeStatus } from '@edrlake/runner/history';
import { DAY_STATES } from '@edrlake/runner/states';
import type { PageContext } from './page-context.ts';

/** Of the text format that Prometheus reads. */
export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

interface Sample {
  readonly labels?: Readonly<Record<string, string>>;
  /** null leaves the sample out: what is not known is no zero. */
  readonly value: number | null;
}

type Family = readonly [name: string, help: string, samples: readonly Sample[]];

/** What to alert on, as a text for Prometheus. All of it is what `status` says. */
export async function metricsText({ lake, clock, userLimit }: PageContext): Promise<string> {
  const nowMs = clock.nowMs();
  const status = await readLakeStatus(lake, { userLimit, nowMs });
  return [...ageFamilies(status, nowMs), ...stateFamilies(status)].map(familyText).join('');
}

function ageFamilies(status: LakeStatus, nowMs: number): Family[] {
  const { watermarkMs, freshUntilMs, newestEventAtMs, committedAtMs } = status;
  const at = (ms: number | null) => [{ value: ms === null ? null : ms / MS_PER_SECOND }];
  const since = (ms: number | null) => [{ value: ms === null ? null : (nowMs - ms) / MS_PER_SECOND }];
  return [
    ['edrlake_watermark_lag_seconds', 'Since the instant up to which the lake was synced.', since(watermarkMs)],
    ['edrlake_proven_age_seconds', 'Since the instant up to which the lake is proven.', since(freshUntilMs)],
    ['edrlake_newest_event_timestamp_seconds', 'When the newest event happened.', at(newestEventAtMs)],
    ['edrlake_last_commit_timestamp_seconds', 'When the newest version was committed.', at(committedAtMs)],
  ];
}

function stateFamilies(status: LakeStatus): Family[] {
  const { calendar, tables, version, lostFiles, budget, lastRun, standingHunts } = status;
  const byTable = (value: (table: (typeof tables)[number]) => number) =>
    tables.map((table) => ({ labels: { table: table.table }, value: value(table) }));
  const rejects = tables.find(({ table }) => table === 'rejects')?.rows ?? 0;
  const byList = (standingHunts?.lists ?? []).map(({ name, matches }) => ({ labels: { list: name }, value: matches }));
  return [
    [
      'edrlake_days',
      'Days by state.',
      DAY_STATES.map((state) => ({ labels: { state }, value: calendar.counts[state] })),
    ],
    ['edrlake_lake_version', 'Number of commits.', [{ value: version }]],
    ['edrlake_lake_bytes', 'Size of the data files.', byTable(({ bytes }) => bytes)],
    ['edrlake_lake_files', 'Number of data files.', byTable(({ files }) => files)],
    ['edrlake_lake_rows', 'Rows of the newest version.', byTable(({ rows }) => rows)],
    ['edrlake_rejected_records', 'Records that could not become rows.', [{ value: rejects }]],
    ['edrlake_lost_files', 'Data files that are gone or cut.', [{ value: lostFiles.length }]],
    ['edrlake_hunt_matches', 'Matches of lists that are always hunted.', byList],
    ['edrlake_hunt_version', 'Version that hunts have looked at.', [{ value: standingHunts?.version ?? null }]],
    ...quietFamilies(status),
    ['edrlake_requests_left', 'Requests that may be sent now.', [{ value: budget?.requestsLeft ?? null }]],
    ['edrlake_requests_limit', 'Requests that the limit allows.', [{ value: budget?.requests ?? null }]],
    [
      'edrlake_last_run_state',
      '1 for the state of the newest run.',
      lastRun === null ? [] : [{ labels: { run: lastRun.pipeline ?? lastRun.kind, state: lastRun.state }, value: 1 }],
    ],
  ];
}

/** Nothing at all where the volume was never learned. */
function quietFamilies({ quiet }: LakeStatus): Family[] {
  if (quiet === null) return [];
  const count = (kind: string) => quiet.findings.filter((finding) => finding.kind === kind).length;
  const missing = quiet.findings.map(quietLine).map(({ kind, type, platform, day, events, expected }) => ({
    labels: { kind, type: type ?? 'all', platform: platform ?? 'all', ...(day !== null && { day }) },
    value: expected - events,
  }));
  return [
    ['edrlake_silent_sources', 'Sources that fell silent.', [{ value: count('silent') }]],
    ['edrlake_low_days', 'Days of sources far below their expectation.', [{ value: count('low') }]],
    ['edrlake_missing_events', 'Events that should have come, of each that is quiet.', missing],
  ];
}

function familyText([name, help, samples]: Family): string {
  const known = samples.filter(({ value }) => value !== null);
  if (known.length === 0) return '';
  const lines = known.map(({ labels = {}, value }) => {
    const pairs = Object.entries(labels).map(([label, text]) => `${label}="${escaped(text)}"`);
    return `${name}${pairs.length === 0 ? '' : `{${pairs.join(',')}}`} ${value}\n`;
  });
  return `# HELP ${name} ${help}\n# TYPE ${name} gauge\n${lines.join('')}`;
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n');
}

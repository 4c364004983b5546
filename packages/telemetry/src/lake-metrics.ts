import { MS_PER_SECOND } from '@edrlake/core';
import { type LakeStatus, quietLine } from '@edrlake/runner/history';
import { DAY_STATES } from '@edrlake/runner/states';
import type { MetricFamily, MetricSample } from './metric-family.ts';

/** The state of a lake as metrics: what `edrlake status` says, to alert on. Times in seconds since 1970, UTC. */
export function lakeMetrics(status: LakeStatus, nowMs: number): MetricFamily[] {
  return [...ageMetrics(status, nowMs), ...stateMetrics(status)];
}

function ageMetrics(status: LakeStatus, nowMs: number): MetricFamily[] {
  const { watermarkMs, freshUntilMs, newestEventAtMs, committedAtMs } = status;
  const at = (ms: number | null) => [{ value: ms === null ? null : ms / MS_PER_SECOND }];
  const since = (ms: number | null) => [{ value: ms === null ? null : (nowMs - ms) / MS_PER_SECOND }];
  return [
    gauge('edrlake_watermark_lag_seconds', 'Since the instant up to which the lake was synced.', since(watermarkMs)),
    gauge('edrlake_proven_age_seconds', 'Since the instant up to which the lake is proven.', since(freshUntilMs)),
    gauge('edrlake_newest_event_timestamp_seconds', 'When the newest event happened.', at(newestEventAtMs)),
    gauge('edrlake_last_commit_timestamp_seconds', 'When the newest version was committed.', at(committedAtMs)),
  ];
}

function stateMetrics(status: LakeStatus): MetricFamily[] {
  const { calendar, tables, version, lostFiles, budget, lastRun, standingHunts, rejects } = status;
  const byTable = (value: (table: (typeof tables)[number]) => number) =>
    tables.map((table) => ({ labels: { table: table.table }, value: value(table) }));
  const rejected = tables.find(({ table }) => table === 'rejects')?.rows ?? 0;
  const byList = (standingHunts?.lists ?? []).map(({ name, matches }) => ({ labels: { list: name }, value: matches }));
  const byState = DAY_STATES.map((state) => ({ labels: { state }, value: calendar.counts[state] }));
  const ofRun =
    lastRun === null ? [] : [{ labels: { run: lastRun.pipeline ?? lastRun.kind, state: lastRun.state }, value: 1 }];
  return [
    gauge('edrlake_days', 'Days by state.', byState),
    gauge('edrlake_lake_version', 'Number of commits.', [{ value: version }]),
    gauge(
      'edrlake_lake_bytes',
      'Size of the data files.',
      byTable(({ bytes }) => bytes),
    ),
    gauge(
      'edrlake_lake_files',
      'Number of data files.',
      byTable(({ files }) => files),
    ),
    gauge(
      'edrlake_lake_rows',
      'Rows of the newest version.',
      byTable(({ rows }) => rows),
    ),
    gauge('edrlake_rejected_records', 'Records that could not become rows.', [{ value: rejected }]),
    gauge(
      'edrlake_quarantined_records',
      'Records that could not become rows and are kept, by reason.',
      rejects.map(({ reason, records }) => ({ labels: { reason }, value: records })),
    ),
    gauge('edrlake_lost_files', 'Data files that are gone or cut.', [{ value: lostFiles.length }]),
    gauge('edrlake_hunt_matches', 'Matches of lists that are always hunted.', byList),
    gauge('edrlake_hunt_version', 'Version that hunts have looked at.', [{ value: standingHunts?.version ?? null }]),
    ...quietMetrics(status),
    gauge('edrlake_requests_left', 'Requests that may be sent now.', [{ value: budget?.requestsLeft ?? null }]),
    gauge('edrlake_requests_limit', 'Requests that the limit allows.', [{ value: budget?.requests ?? null }]),
    gauge('edrlake_last_run_state', '1 for the state of the newest run.', ofRun),
  ];
}

/** Without samples where the volume was never learned. */
function quietMetrics({ quiet }: LakeStatus): MetricFamily[] {
  const count = (kind: string) => quiet?.findings.filter((finding) => finding.kind === kind).length ?? null;
  const missing = (quiet?.findings ?? []).map(quietLine).map(({ kind, type, platform, day, events, expected }) => ({
    labels: { kind, type: type ?? 'all', platform: platform ?? 'all', ...(day !== null && { day }) },
    value: expected - events,
  }));
  return [
    gauge('edrlake_silent_sources', 'Sources that fell silent.', [{ value: count('silent') }]),
    gauge('edrlake_low_days', 'Days of sources far below their expectation.', [{ value: count('low') }]),
    gauge('edrlake_missing_events', 'Events that should have come, of each that is quiet.', missing),
  ];
}

function gauge(name: string, help: string, samples: readonly MetricSample[]): MetricFamily {
  return { name, help, type: 'gauge', samples };
}

import { randomUUID } from 'node:crypto';
import { rm, statfs, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { ClockSkew, GatewayClient } from '@edrlake/client';
import {
  countText,
  deprecationText,
  type EventSource,
  instantText,
  MS_PER_DAY,
  MS_PER_SECOND,
  NO_FILTER,
  type TimeAxis,
  type TimeRange,
} from '@edrlake/core';
import { DEFAULT_DATASET } from '@edrlake/datasets';
import type { ObjectLake } from '@edrlake/lake';
import type { Connection, ConnectionSettings } from '../connect/connect.ts';
import { connectBeside } from '../connect/shared-connection.ts';
import type { Services } from '../run/types.ts';
import { type CheckResult, fail, failure, ok, warn } from './check-result.ts';
import { checkHistogram, checkSearchAfter, rangeFilter } from './probe-capabilities.ts';
import { checkPages } from './probe-pages.ts';

/** How platforms spell the two clocks; the documents use the first of each. */
const TIME_TOKENS: Readonly<Record<TimeAxis, readonly string[]>> = {
  event: ['event.dateTime', 'event.datetime'],
  processed: ['event.eventProcessedTime', 'event.eventprocesstime'],
};

const FOLLOW_EVENT_TIME = 'New events can be followed by their own time: edrlake sync --axis event --look-back 5d';

const PROBED_DAYS = 30;
/** A smaller difference may be network delay, or a clock that is being corrected. */
const MAX_CLOCK_SKEW_MS = 5 * MS_PER_SECOND;
const MIN_FREE_BYTES = 5 * 1024 ** 3;

/**
 * Finds out what the documentation leaves open about a platform, and whether an export could start now. It costs one
 * login, at most ten counts, one page of one event and one page of the configured size. The pages are not stored.
 * Findings come in the order in which a user would check them; after a failed login, the checks that need one are left
 * out.
 */
export async function diagnose(
  target: {
    readonly settings: ConnectionSettings;
    readonly lakeDirectory: string;
    /** Where the lake is, if in an object store. */
    readonly objects?: ObjectLake;
    /** Days to count events in; null: the last 30 days. */
    readonly range: TimeRange | null;
  },
  services: Services,
): Promise<readonly CheckResult[]> {
  const range = target.range ?? lastDays(PROBED_DAYS, services);
  const local = [await checkLake(target.lakeDirectory)];
  let connection: Connection;
  try {
    const { lakeDirectory, objects } = target;
    const place = { lakeDirectory, ...(objects && { objects }) };
    const sharing = { ...place, priority: 'normal', command: 'doctor' } as const;
    connection = await connectBeside(target.settings, sharing, services);
  } catch (thrown) {
    return [failure('gateway', thrown), ...local];
  }
  try {
    const login = await checkLogin(connection.client, services);
    const proxy = checkProxy(connection.client, target.settings, login);
    if (login.status === 'fail') return [...proxy, login, ...local];
    const { dataset = DEFAULT_DATASET } = target.settings;
    if (dataset !== DEFAULT_DATASET) {
      return [...proxy, login, await checkCount(connection.source, range, services), ...local];
    }
    const { findings, eventToken, counted } = await checkTokens(connection.client, target.settings, range, services);
    const ways =
      eventToken === null
        ? []
        : [
            await checkHistogram(connection.client, eventToken, range, services),
            await checkSearchAfter(connection.client, target.settings, eventToken, range, services),
            await checkPages(connection.client, target.settings, eventToken, { range, counted }, services),
          ];
    return [
      ...proxy,
      login,
      ...checkPrefix(connection.client, target.settings),
      ...findings,
      ...ways,
      ...checkLearned(connection.client, target.settings),
      ...local,
    ];
  } finally {
    await connection.close();
  }
}

/** Whether an account may ask for the events of any dataset. */
async function checkCount(source: EventSource, range: TimeRange, { signal }: Services): Promise<CheckResult> {
  try {
    const count = await source.count({ axis: 'event', range, cuts: [], scope: NO_FILTER }, signal);
    return ok('events', `${countText(count)} from ${instantText(range.startMs)} until ${instantText(range.endMs)}`);
  } catch (thrown) {
    return failure('events', thrown);
  }
}

async function checkLogin(client: GatewayClient, { signal }: Services): Promise<CheckResult> {
  try {
    const { expiresAtMs, path } = await client.login(signal);
    const level = { '/auth/oidc': 'user', '/auth/oauth': 'subscription' }[path];
    const as = level === undefined ? '' : `OAuth client of ${level} level (POST ${path}) `;
    return ok('login', `${as}${client.accountName} at ${client.host}, token until ${instantText(expiresAtMs)}`);
  } catch (thrown) {
    return failure('login', thrown);
  }
}

/**
 * Which route connections take if a proxy is set. A login that succeeded, or that the gateway refused, shows that it
 * works.
 */
function checkProxy(client: GatewayClient, settings: ConnectionSettings, login: CheckResult): readonly CheckResult[] {
  if (settings.proxy === null || settings.proxy === undefined) return [];
  const { url, setting } = settings.proxy;
  if (client.proxy === null) {
    return [
      ok(
        'proxy',
        `not used for ${client.host}: this machine and hosts in NO_PROXY are reached directly (${setting}: ${url})`,
      ),
    ];
  }
  const found = `${url}, as ${setting} says`;
  if (!/\(PROXY_\w+\)$/.test(login.found)) return [ok('proxy', found)];
  return [fail('proxy', found, 'See the login below: it came no further than the proxy.')];
}

/**
 * Which spelling of each clock the platform counts by. A token that is refused or silently ignored is not understood.
 */
async function checkTokens(
  client: GatewayClient,
  settings: ConnectionSettings,
  range: TimeRange,
  services: Services,
): Promise<{
  readonly findings: readonly CheckResult[];
  readonly eventToken: string | null;
  readonly counted: number;
}> {
  const findings: CheckResult[] = [];
  let eventToken: string | null = null;
  let counted = 0;
  for (const axis of ['event', 'processed'] as const) {
    const configured = settings.timeTokens?.[axis] ?? TIME_TOKENS[axis][0];
    const tried = new Set([configured, ...TIME_TOKENS[axis]]);
    const finding = await checkAxis(
      client,
      axis,
      [...tried].filter((token) => token !== undefined),
      range,
      services,
    );
    if (axis === 'event') [eventToken, counted] = [finding.token, finding.count];
    findings.push(finding.finding);
  }
  return { findings, eventToken, counted };
}

async function checkAxis(
  client: GatewayClient,
  axis: TimeAxis,
  tokens: readonly string[],
  range: TimeRange,
  services: Services,
): Promise<{ readonly finding: CheckResult; readonly token: string | null; readonly count: number }> {
  const name = axis === 'event' ? 'event time token' : 'processing time token';
  const [configured] = tokens;
  let counted: { readonly token: string; readonly count: number } | null = null;
  let refusal: unknown = null;
  for (const token of tokens) {
    try {
      const count = await client.count({ filter: rangeFilter(axis, token, range) }, services.signal);
      if (counted === null || count > counted.count) counted = { token, count };
      if (count > 0) break;
    } catch (thrown) {
      refusal ??= thrown;
    }
  }
  if (counted === null) {
    const finding = failure(name, refusal);
    // Without this clock events can still be fetched, compared and followed, but only with a longer look-back.
    return {
      finding: axis === 'event' ? finding : { ...finding, status: 'warn', advice: FOLLOW_EVENT_TIME },
      token: null,
      count: 0,
    };
  }
  const span = `${instantText(range.startMs)} to ${instantText(range.endMs)}`;
  const found = `${counted.token} (${countText(counted.count)} events from ${span})`;
  if (counted.count === 0) {
    return {
      finding: warn(name, found, 'No events to tell by: check the account, or that agents report.'),
      ...counted,
    };
  }
  if (counted.token === configured) return { finding: ok(name, found), ...counted };
  const flag = axis === 'event' ? '--event-time-token' : '--processed-time-token';
  return {
    finding: warn(name, found, `Set ${flag} ${counted.token}: ${configured} is not understood here.`),
    ...counted,
  };
}

/** Which path the API was found below, where it had to be found. */
function checkPrefix(client: GatewayClient, settings: ConnectionSettings): readonly CheckResult[] {
  if (settings.apiPrefix !== 'auto') return [];
  const found = client.apiPrefix();
  if (found === null) return [warn('API prefix', 'neither /ioc/v1 nor /ioc answers', 'Set --api-prefix to the path.')];
  const advice =
    found === '/ioc' ? 'Set --api-prefix /ioc: looking for the other one costs each command a request.' : null;
  return [ok('API prefix', `${found} answers`, advice)];
}

function checkLearned(client: GatewayClient, settings: ConnectionSettings): readonly CheckResult[] {
  const { requests, windowSeconds, concurrency, requestsLeft, fromHeaders, unusableHeaders, clockSkew } =
    client.limits();
  const limit = `${countText(requests)} requests per ${countText(windowSeconds)} s, ${concurrency} at once, ${countText(requestsLeft)} left`;
  const origin = settings.rateLimit ? 'as configured' : 'assumed: the gateway sends no limit headers';
  const limits = fromHeaders
    ? ok('rate limit', `${limit}, as the gateway says`)
    : warn(
        'rate limit',
        `${limit}, ${origin}`,
        settings.rateLimit ? null : 'If your subscription allows more, set --rate-limit.',
      );
  const unusable = warn(
    'limit headers',
    `not used, because they make no sense: ${unusableHeaders.join(', ')}`,
    'A proxy may have changed them. --rate-limit sets the limit by hand.',
  );
  const ending = client
    .deprecations()
    .map((deprecation) =>
      warn(
        'deprecation',
        `the API says that ${deprecationText(deprecation)}`,
        'Look for a newer edrlake, or set --api-prefix to the path that replaces it.',
      ),
    );
  return [limits, ...(unusableHeaders.length > 0 ? [unusable] : []), ...ending, clockFinding(clockSkew)];
}

/**
 * What the `Date` header of the answers says about the clock of this machine. The earlier of both clocks decides what
 * is requested.
 */
function clockFinding(skew: ClockSkew | null): CheckResult {
  if (skew === null) {
    return warn(
      'clock',
      'the gateway sends no Date header, so the clock of this machine decides alone',
      'Keep it synchronised: where it is ahead, a sync would skip what comes later.',
    );
  }
  const apartMs = skew.minMs > 0 ? skew.minMs : skew.maxMs < 0 ? -skew.maxMs : 0;
  if (apartMs <= MAX_CLOCK_SKEW_MS) return ok('clock', 'as that of the gateway');
  const seconds = Math.round(apartMs / MS_PER_SECOND);
  const found = `${seconds} s ${skew.minMs > 0 ? 'behind' : 'ahead of'} that of the gateway`;
  return warn('clock', found, 'Synchronise it: the earlier of both decides up to where events are asked for.');
}

/** Whether files can be created, and the free space. Leaves nothing behind. */
export async function checkLake(directory: string): Promise<CheckResult> {
  const path = resolve(directory);
  const existing = await nearestExisting(path);
  const probe = join(existing, `.edrlake-doctor-${randomUUID()}`);
  try {
    await writeFile(probe, '');
    await rm(probe);
  } catch (thrown) {
    return {
      ...failure('lake', thrown),
      found: `${path} cannot be written`,
      advice: 'Check the path and its permissions, or choose another with --lake.',
    };
  }
  const { bavail, bsize } = await statfs(existing);
  const freeBytes = bavail * bsize;
  const found = `${path} can be written, ${(freeBytes / 1024 ** 3).toFixed(1)} GiB free`;
  return freeBytes >= MIN_FREE_BYTES
    ? ok('lake', found)
    : warn('lake', found, 'A million events take about 150 MiB, and twice that while being written.');
}

async function nearestExisting(path: string): Promise<string> {
  let candidate = path;
  while (dirname(candidate) !== candidate) {
    const isThere = await statfs(candidate).then(
      () => true,
      () => false,
    );
    if (isThere) return candidate;
    candidate = dirname(candidate);
  }
  return candidate;
}

function lastDays(days: number, { clock }: Services): TimeRange {
  const endMs = Math.floor(clock.nowMs() / MS_PER_DAY) * MS_PER_DAY;
  return { startMs: endMs - days * MS_PER_DAY, endMs };
}

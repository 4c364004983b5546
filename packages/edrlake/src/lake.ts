import { resolve } from 'node:path';
import { type Clock, EdrlakeError, type Random, TABLE_FORMATS, turnTaking } from '@edrlake/core';
import type { QueryOptions, S3Settings, Lake as StoredLake } from '@edrlake/lake';
import type { TenantGate } from '@edrlake/runner/open-lake';
import {
  CALL_CHECKS,
  COUNT,
  checkArgument,
  checkOptions,
  DATASET,
  oneOf,
  SUBSCRIPTION,
  SWITCH,
  TEXT,
} from './input/checks.ts';
import {
  listenerOf,
  openReports,
  optionalRangeOf,
  type Reports,
  rangeOf,
  SCOPE_CHECKS,
  SURROUNDING_CHECKS,
  scopeOf,
  signalOf,
  surroundingsOf,
} from './input/options.ts';
import { placeOf } from './lake/place.ts';
import { huntIn, queryOf, withArrow } from './lake/query.ts';
import type { ExportLakeOptions, Lake, LakeVersion, OpenLakeOptions } from './lake/types.ts';
import { upkeepOf } from './lake/upkeep.ts';

const INTERNALS = Symbol('internals');

/** What the functions of this package need of a lake. */
export interface LakeInternals {
  readonly stored: StoredLake;
  readonly clock: Clock;
  readonly random: Random;
  readonly reports: Reports;
  /** How to reach object stores, as far as the caller said it. */
  readonly s3?: S3Settings;
  /** Hears of each login of a source that works on the lake. */
  readonly gate: TenantGate;
  /** Once it is being closed. */
  closing: Promise<void> | null;
  /** One export, repair or pipeline at a time: they stage batches on one DuckDB. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
}

interface OpenedLake extends Lake {
  readonly [INTERNALS]: LakeInternals;
}

/**
 * Opens the lake in a folder or at `s3://bucket/prefix`, and makes it where there is none. Several processes may open
 * one lake at once; each commit is atomic. Object stores need the package `@aws-sdk/client-s3` beside edrlake.
 * @param place a path, absolute or relative to the working directory of the process, or an address
 * @throws {EdrlakeError} `LAKE_UNWRITABLE`, `LAKE_INCOMPATIBLE` if a newer edrlake has written it, `LAKE_CORRUPT`,
 * `LAKE_OTHER_DATASET` if it holds other events, `LAKE_OTHER_SUBSCRIPTION` if it is another one's, `LAKE_MISSING` for
 * `readOnly` without a lake, `USAGE` for a path that DuckDB cannot take; of object stores `STORE_UNFIT`,
 * `STORE_UNREACHABLE`, `STORE_REFUSED`
 * @example
 * await using lake = await openLake(directory);
 * for await (const row of lake.query('from coverage')) console.log(row);
 */
export async function openLake(place: string, options: OpenLakeOptions = {}): Promise<Lake> {
  checkArgument('openLake', 'place', place, TEXT);
  checkOptions('openLake', options, {
    ...SURROUNDING_CHECKS,
    dataset: DATASET,
    subscription: SUBSCRIPTION,
    readOnly: SWITCH,
    memoryLimit: TEXT,
    threads: COUNT,
    writer: oneOf('duckdb', 'parquetjs'),
    publishes: {
      expected: `a list of ${TABLE_FORMATS.join(' and ')}`,
      fits: (formats) => Array.isArray(formats) && formats.every((format) => TABLE_FORMATS.includes(format)),
    },
    workDirectory: TEXT,
    reads: oneOf('auto', 'copies', 'httpfs'),
    httpfsFile: TEXT,
  });
  const { dataset, subscription, memoryLimit, threads, publishes, writer = 'duckdb', readOnly = false } = options;
  const { directory, objects } = placeOf(place, options);
  const { clock, random } = surroundingsOf(options);
  const reports = openReports(listenerOf(options));
  const { openEdrLake, tenantGate } = await import('@edrlake/runner/open-lake');
  const owner = subscription && { subscription: subscription.name, customerId: subscription.customerId ?? null };
  const gate = tenantGate(owner ?? null);
  const stored = await openEdrLake(
    directory,
    {
      ...gate.lakeOptions,
      ...(objects && { objects }),
      ...(publishes && { publishes }),
      create: !readOnly,
      readOnly,
      writer,
      ...(dataset && { dataset }),
      ...(memoryLimit && { memoryLimit }),
      ...(threads && { threads }),
    },
    { clock, emit: reports.emit },
  );
  gate.guard(stored);
  const { s3 } = options;
  const internals = { stored, clock, random, reports, gate, closing: null, inTurn: turnTaking(), ...(s3 && { s3 }) };
  const opened: OpenedLake = { ...lakeOn(internals, readOnly), [INTERNALS]: internals };
  return opened;
}

function lakeOn(internals: LakeInternals, isReadOnly: boolean): Lake {
  const close = () => {
    internals.closing ??= internals.inTurn(() => internals.stored.close());
    return internals.closing;
  };
  const open = () => {
    refuseClosed(internals);
    return internals.stored;
  };
  return {
    directory: internals.stored.directory,
    address: internals.stored.address,
    dataset: internals.stored.dataset,
    isReadOnly,
    query: <Row>(sql: string, options: QueryOptions = {}) => {
      checkArgument('query', 'sql', sql, TEXT);
      return queryOf<Row>(open(), sql, options);
    },
    version: async () => versionOf(open()),
    coverage: async (range) => open().coverage(range && (optionalRangeOf(range) ?? undefined)),
    gate: async (options) => {
      checkOptions('gate', options, { ...SCOPE_CHECKS, require: oneOf('proven', 'complete') });
      const stored = open();
      const { readGate } = await import('@edrlake/runner/history');
      const { require = 'proven' } = options;
      const question = { range: rangeOf(options), scope: scopeOf(options), require, maxAgeMs: null };
      const { version, days, refused } = await readGate(stored, { ...question, nowMs: internals.clock.nowMs() });
      return { passes: refused.length === 0, version, days, refused };
    },
    hunt: async (values, options = {}) => {
      checkOptions('hunt', options, { ...CALL_CHECKS, maxMatches: COUNT });
      checkArgument('hunt', 'values', values, { expected: 'a list of values', fits: Array.isArray });
      return huntIn(open(), values, options);
    },
    export: async (what, options) => {
      checkArgument('export', 'what', what, TEXT);
      checkArgument('export', 'to', (options as Partial<ExportLakeOptions> | undefined)?.to, TEXT);
      const { planUnload, runUnload, UNLOAD_FORMATS } = await import('@edrlake/lake');
      checkOptions('export', options, { ...CALL_CHECKS, format: oneOf(...UNLOAD_FORMATS) });
      const stored = open();
      const { to, format = null } = options;
      const request = { what, to, format, workingDirectory: resolve(), formatName: 'format' };
      return withArrow(async () => runUnload(stored, await planUnload(request), signalOf(options)));
    },
    ...upkeepOf(open, isReadOnly, internals),
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function versionOf(stored: StoredLake): Promise<LakeVersion> {
  const { version, committedAtMs, files } = await stored.snapshot();
  return {
    version,
    committedAtMs,
    files: Object.values(files)
      .flat()
      .map(({ table, path, rowCount, fileBytes }) => ({
        table,
        path: stored.address.startsWith('s3://') ? `${stored.address}/${path}` : resolve(stored.directory, path),
        rowCount,
        byteLength: fileBytes,
      })),
  };
}

/** @throws {EdrlakeError} `USAGE` for a lake that is closed: what was released would be opened again, and stay open */
function refuseClosed({ closing, stored }: LakeInternals): void {
  if (closing === null) return;
  throw new EdrlakeError('USAGE', `the lake at ${stored.address} is closed`, {
    hint: 'Close it when all calls have ended, or open it again with openLake.',
  });
}

/** What is behind a lake. @throws {EdrlakeError} `USAGE` for an object that `openLake` has not made, or has closed */
export function internalsOf(lake: Lake): LakeInternals {
  const found = (lake as Partial<OpenedLake> | undefined)?.[INTERNALS];
  if (found !== undefined) {
    refuseClosed(found);
    return found;
  }
  throw new EdrlakeError('USAGE', 'expected a lake that openLake has opened', {
    hint: 'Hand on the object as it is: a copy of its methods is no lake.',
  });
}

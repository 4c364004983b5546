import { resolve } from 'node:path';
import { type Clock, COLUMN_TYPES, EdrlakeError, newRunId, type Random, TABLE_FORMATS } from '@edrlake/core';
import type { StandingReport, Lake as StoredLake } from '@edrlake/lake';
import { readHuntFolder } from '@edrlake/lake/indicators';
import {
  AMOUNT,
  CALL_CHECKS,
  COUNT,
  checkArgument,
  checkOptions,
  type Expected,
  oneOf,
  SWITCH,
  TEXT,
} from '../input/checks.ts';
import {
  type CallOptions,
  listening,
  optionalRangeOf,
  type RangeOptions,
  type Reports,
  signalOf,
} from '../input/options.ts';
import { refuseReadOnly } from '../input/refusals.ts';
import type { Lake, PromoteOptions, StandingHuntOptions } from './types.ts';

const NEW_MATCHES = 1_000;

/** Methods of a lake that keep it in order. */
type LakeUpkeep = Pick<
  Lake,
  'verify' | 'compact' | 'vacuum' | 'publish' | 'deduplicate' | 'huntStanding' | 'index' | 'promote' | 'demote'
>;

/** What upkeep needs of an open lake. */
interface UpkeepTools {
  readonly clock: Clock;
  readonly random: Random;
  readonly reports: Reports;
  inTurn<T>(work: () => Promise<T>): Promise<T>;
}

/**
 * The upkeep of a lake.
 * @param open the stored lake; throws where it is closed
 */
export function upkeepOf(open: () => StoredLake, isReadOnly: boolean, tools: UpkeepTools): LakeUpkeep {
  const { reports, inTurn } = tools;
  const maintain = <T>(
    what: string,
    options: CallOptions,
    checks: Readonly<Record<string, Expected>>,
    work: (stored: StoredLake, context: { readonly runId: string; readonly signal: AbortSignal }) => Promise<T>,
  ) => {
    checkOptions(what, options, { ...CALL_CHECKS, ...checks });
    refuseReadOnly(isReadOnly, what);
    const stored = open();
    return listening(reports, options, () =>
      inTurn(() => work(stored, { runId: newRunId(tools), signal: signalOf(options) })),
    );
  };
  return {
    verify: async (options = {}) => {
      checkOptions('verify', options, CALL_CHECKS);
      return open().verify(optionalRangeOf(options), signalOf(options));
    },
    compact: async (options = {}) =>
      maintain('compact', options, { targetFileBytes: COUNT, minFiles: COUNT }, (stored, context) => {
        const { targetFileBytes, minFiles } = options;
        const range = rangeOrUndefined(options);
        const sizes = { ...(targetFileBytes && { targetFileBytes }), ...(minFiles && { minFiles }) };
        return stored.compact({ ...(range && { range }), ...sizes }, context);
      }),
    vacuum: async (options = {}) => {
      const checks = { graceDays: AMOUNT, dryRun: SWITCH };
      checkOptions('vacuum', options, { ...CALL_CHECKS, ...checks });
      const { graceDays, dryRun = false } = options;
      const wanted = { dryRun, ...(graceDays !== undefined && { graceMs: graceDays * 86_400_000 }) };
      if (!dryRun) return maintain('vacuum', options, checks, (stored, context) => stored.vacuum(wanted, context));
      const stored = open();
      return listening(reports, options, () => stored.vacuum(wanted, { signal: signalOf(options) }));
    },
    publish: async (format, options = {}) => {
      checkArgument('publish', 'format', format, oneOf(...TABLE_FORMATS));
      return maintain('publish', options, { to: TEXT }, (stored, context) =>
        stored.publish(format, options.to === undefined ? {} : { to: options.to }, context),
      );
    },
    deduplicate: async (options = {}) =>
      maintain('deduplicate', options, {}, (stored, { runId }) => stored.deduplicate(runId, rangeOrUndefined(options))),
    huntStanding: async (directory, options = {}) => {
      checkArgument('huntStanding', 'directory', directory, TEXT);
      return maintain('huntStanding', options, { maxMatches: COUNT }, (stored, { signal }) =>
        standingIn(stored, resolve(directory), options, signal),
      );
    },
    promote: async (options) => {
      checkArgument('promote', 'path', (options as Partial<PromoteOptions> | undefined)?.path, TEXT);
      const checks = { path: TEXT, table: TEXT, as: TEXT, type: oneOf(...COLUMN_TYPES) };
      return maintain('promote', options, checks, (stored, context) => {
        const { path, table, as, type } = options;
        return stored.promote({ path, ...(table && { table }), ...(as && { as }), ...(type && { type }) }, context);
      });
    },
    demote: async (column, options = {}) => {
      checkArgument('demote', 'column', column, TEXT);
      return maintain('demote', options, { table: TEXT }, (stored, context) =>
        stored.demote({ column, ...(options.table && { table: options.table }) }, context),
      );
    },
    index: async (options = {}) =>
      maintain('index', options, { rebuild: SWITCH }, (stored, context) =>
        stored.indexValues({ rebuild: options.rebuild ?? false }, context),
      ),
  };
}

async function standingIn(
  stored: StoredLake,
  directory: string,
  { maxMatches = NEW_MATCHES }: StandingHuntOptions,
  signal: AbortSignal,
): Promise<StandingReport> {
  const folder = await readHuntFolder(directory);
  if (folder === null) {
    throw new EdrlakeError('USAGE', `there is no folder of lists ${directory}`, {
      hint: 'Put lists of indicators there, one value a line in a file such as bad.txt, or name another folder.',
    });
  }
  const { huntStanding } = await import('@edrlake/lake');
  const report = await huntStanding(stored, folder, { reader: 'command', limit: maxMatches, signal });
  await stored.markReported('command', report.fresh.generation);
  return report;
}

/** A range, for calls that mean all days without one. */
function rangeOrUndefined(options: Partial<RangeOptions>) {
  return optionalRangeOf(options) ?? undefined;
}

import { type Day, dayOf, EdrlakeError, type ProcessTable, sum, type TimeRange } from '@edrlake/core';
import { OCSF_DATASETS, ocsfMappingOf } from '@edrlake/datasets/ocsf';
import type { Lake, Snapshot } from '@edrlake/lake';
import { type MappingPlan, planMapping } from '../mapping/class-plan.ts';
import { classNamed } from '../schema/classes.ts';
import type { OcsfVersion } from '../schema/facts.ts';
import { openBucketTarget } from './bucket-target.ts';
import { type OpenTarget, openFolderTarget } from './folder-target.ts';
import { type LayoutChoice, type OcsfLayout, sourceName } from './layout.ts';
import type { OcsfPlace } from './place.ts';
import { allClasses, classCounts, type DayContext, fingerprintOf, publishDay } from './publish-day.ts';
import {
  type DayDocument,
  type DayState,
  finishDays,
  isMixed,
  type PublishStep,
  type Target,
  type TargetSettings,
} from './state.ts';

/** How to publish a lake as OCSF. */
export interface PublishOcsfOptions extends OcsfPlace {
  readonly version: OcsfVersion;
  readonly layout: OcsfLayout;
  /** For `security-lake`: the region in the names of folders. */
  readonly region: string;
  /** For all events; null: `external_<customer>`. */
  readonly accountId: string | null;
  /** Only days that it touches; null: all. */
  readonly range: TimeRange | null;
  /** Says what would be published, and changes nothing. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
  /** The processes that may publish into the same place; those of the machine unless given. */
  readonly processes?: ProcessTable;
  /** Called at the named moments; for tests that end the publication there. */
  readonly onStep?: (step: PublishStep) => void;
}

/** What a target holds of one class. */
export interface PublishedClass {
  readonly className: string;
  readonly uid: number;
  readonly source: string;
  readonly events: number;
  readonly files: number;
  readonly bytes: number;
  /** Share of the values of the source that became typed attributes, from 0 to 1; null for findings. */
  readonly typedShare: number | null;
}

/** What a run did, and what the target holds now, or would hold of the days of a dry run. */
export interface PublishOcsfReport {
  /** The folder, or the address of the bucket and prefix. */
  readonly directory: string;
  readonly ocsfVersion: OcsfVersion;
  readonly layout: OcsfLayout;
  readonly dryRun: boolean;
  /** The version of the lake. */
  readonly lakeVersion: number;
  readonly days: {
    readonly published: number;
    /** Days of the range that were up to date, or had other files with the same rows. */
    readonly unchanged: number;
  };
  readonly classes: readonly PublishedClass[];
  readonly typedShare: number | null;
  /** Events that no class of their own takes, by event type: they are published as `base_event`. */
  readonly unclassified: Readonly<Record<string, number>>;
  /** Events that no class takes at all. `base_event` takes every event. */
  readonly rejected: number;
  /** Records in the lake's table of rejects: they never became events, and are not published. */
  readonly lakeRejects: number;
}

/**
 * Publishes the events of a lake as files of OCSF classes, day by day, and brings days that later commits have changed
 * up to date. Killed at any step, the next run goes on.
 * @throws {EdrlakeError} `PUBLISH_REFUSED` for a folder that holds something else, `USAGE` for a dataset without a
 * mapping, `LAKE_CONTENDED`, `INTERRUPTED`, `LAKE_UNWRITABLE`; for a bucket `STORE_UNFIT`, `STORE_UNREACHABLE`,
 * `STORE_REFUSED`, `LEASE_LOST`
 */
export async function publishOcsf(lake: Lake, options: PublishOcsfOptions): Promise<PublishOcsfReport> {
  const { version, layout, dryRun, signal } = options;
  const mapping = ocsfMappingOf(lake.dataset);
  if (mapping === null) {
    throw new EdrlakeError('USAGE', `the dataset ${lake.dataset.name} has no mapping to OCSF`, {
      hint: `Events of these datasets can be published as OCSF: ${OCSF_DATASETS.join(', ')}.`,
    });
  }
  // What a lake has promoted is published like any other column.
  const plan = planMapping({ ...lake.dataset, tables: await lake.tables() }, mapping, version);
  const region = layout === 'security-lake' ? options.region : null;
  const choice: LayoutChoice = { layout, region, accountId: options.accountId };
  const snapshot = await lake.snapshot();
  const settings: TargetSettings = {
    ...choice,
    dataset: lake.dataset.name,
    ocsfVersion: version,
    lake: lakeIdentity(snapshot),
  };
  const target = await openTarget(options);
  try {
    await refuseOther(target, settings);
    if (!dryRun) await prepare(target, settings);
    const context: DayContext = { lake, plan, choice, target, groupRows: new Map(), signal };
    const pending: { readonly day: Day; readonly document: DayDocument | null }[] = [];
    let unchanged = 0;
    for (const day of await daysInRange(target, snapshot, options.range)) {
      const document = await target.readDay(day);
      if (await isUpToDate(context, document, snapshot, day)) unchanged += 1;
      else pending.push({ day, document });
    }
    const base = { directory: target.name, ocsfVersion: version, layout, dryRun, lakeVersion: snapshot.version };
    if (dryRun) {
      const days = { published: pending.length, unchanged };
      return {
        ...base,
        days,
        ...(await wouldPublish(
          context,
          pending.map(({ day }) => day),
          snapshot,
        )),
      };
    }
    let published = 0;
    for (const { day, document } of pending) {
      signal.throwIfAborted();
      const { outcome } = await publishDay(context, day, document);
      if (outcome === 'published') published += 1;
      else unchanged += 1;
    }
    await target.clear();
    if (options.range === null) await target.writePublication({ ...settings, lakeVersion: snapshot.version });
    const states = await currentStates(target);
    return { ...base, days: { published, unchanged }, ...summaryOf(plan, states, snapshot) };
  } finally {
    await target.close();
  }
}

function openTarget({ directory, objects, dryRun, processes, onStep = () => {} }: PublishOcsfOptions): Promise<Target> {
  const how: OpenTarget = { onStep, claims: !dryRun, ...(processes && { processes }) };
  return objects === undefined ? openFolderTarget(directory, how) : openBucketTarget(directory, objects, how);
}

/** Finishes what an interrupted run began, and claims a new target. */
async function prepare(target: Target, settings: TargetSettings): Promise<void> {
  await finishDays(target);
  if (target.publication === null || target.publication.lake === NO_LAKE)
    await target.writePublication({ ...settings, lakeVersion: null });
}

/** Another choice in the same place would mix files that do not belong together. */
async function refuseOther(target: Target, settings: TargetSettings): Promise<void> {
  const { publication, name: place } = target;
  if (publication === null) {
    const stranger = await target.stranger();
    if (stranger === null) return;
    throw new EdrlakeError('PUBLISH_REFUSED', `${place} holds ${stranger}, and nothing says what it is`, {
      hint: 'Give an empty place with --to.',
    });
  }
  for (const [name, wanted] of Object.entries(settings)) {
    const found = (publication as unknown as Record<string, unknown>)[name];
    if (found === wanted || (name === 'lake' && found === NO_LAKE)) continue;
    const what = name === 'lake' ? 'was published from another lake' : `has ${name} ${found}, expected ${wanted}`;
    throw new EdrlakeError('PUBLISH_REFUSED', `${place} ${what}`, { hint: 'Give another place with --to.' });
  }
}

/** The identity of a lake before its first commit. */
const NO_LAKE = '';

function lakeIdentity({ commits }: Snapshot): string {
  const [first] = commits;
  return first === undefined ? NO_LAKE : `${first.runId} ${first.committedAtMs}`;
}

/** Days that the lake has or the target had, oldest first; with a range also those left between two versions. */
async function daysInRange(target: Target, { files }: Snapshot, range: TimeRange | null): Promise<Day[]> {
  const partitions = (files.events ?? []).map(({ partition }) => partition.slice(partition.indexOf('=') + 1));
  const all = [...new Set([...partitions, ...(await target.days())])].sort();
  if (range === null) return all;
  const [first, last] = [dayOf(range.startMs), dayOf(range.endMs - 1)];
  const wanted: Day[] = [];
  for (const day of all) {
    const current = (await target.readDay(day))?.current ?? null;
    if ((day >= first && day <= last) || (current !== null && isMixed(current))) wanted.push(day);
  }
  return wanted;
}

async function isUpToDate(
  { plan, target }: DayContext,
  document: DayDocument | null,
  snapshot: Snapshot,
  day: Day,
): Promise<boolean> {
  const current = document?.current ?? null;
  if (document === null || current === null || document.next !== null) return false;
  if (current.mapping !== plan.mapping.version || current.fingerprint !== fingerprintOf(snapshot, day)) return false;
  return target.areFilesThere(current);
}

async function currentStates(target: Target): Promise<DayState[]> {
  const states: DayState[] = [];
  for (const day of await target.days()) {
    const current = (await target.readDay(day))?.current;
    if (current) states.push(current);
  }
  return states;
}

type Summary = Pick<PublishOcsfReport, 'classes' | 'typedShare' | 'unclassified' | 'rejected' | 'lakeRejects'>;

function summaryOf(plan: MappingPlan, states: readonly DayState[], snapshot: Snapshot): Summary {
  const files = states.flatMap((state) => state.files);
  const share = (of: typeof files) => {
    const fields = sum(of, (file) => file.fields);
    return fields === 0 ? null : 1 - sum(of, ({ untyped }) => untyped) / fields;
  };
  const names = [...allClasses(plan), ...plan.findings].map(({ facts }) => facts.name);
  const classes = names.flatMap((className): PublishedClass[] => {
    const facts = classNamed(className);
    const ofClass = files.filter((file) => file.className === className);
    if (ofClass.length === 0) return [];
    return [
      {
        className,
        uid: facts.uid,
        source: sourceName(plan.dataset, facts),
        events: sum(ofClass, ({ rows }) => rows),
        files: ofClass.length,
        bytes: sum(ofClass, ({ bytes }) => bytes),
        typedShare: share(ofClass),
      },
    ];
  });
  const unclassified: Record<string, number> = {};
  for (const state of states) {
    for (const [type, count] of Object.entries(state.unclassified)) {
      unclassified[type] = (unclassified[type] ?? 0) + count;
    }
  }
  return { classes, typedShare: share(files), unclassified, rejected: 0, lakeRejects: rejectsIn(snapshot) };
}

async function wouldPublish(context: DayContext, days: readonly Day[], snapshot: Snapshot): Promise<Summary> {
  const { plan } = context;
  const counts = days.length === 0 ? new Map<number, number>() : await classCounts(context, days);
  const classes = [...allClasses(plan), ...plan.findings].flatMap(({ facts }): PublishedClass[] => {
    const events = counts.get(facts.uid) ?? 0;
    if (events === 0) return [];
    const source = sourceName(plan.dataset, facts);
    return [{ className: facts.name, uid: facts.uid, source, events, files: 0, bytes: 0, typedShare: null }];
  });
  return { classes, typedShare: null, unclassified: {}, rejected: 0, lakeRejects: rejectsIn(snapshot) };
}

function rejectsIn({ files }: Snapshot): number {
  return sum(files.rejects ?? [], ({ rowCount }) => rowCount);
}

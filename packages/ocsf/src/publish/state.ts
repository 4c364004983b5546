import { type ClaimHolder, type Day, EdrlakeError } from '@edrlake/core';
import type { LayoutChoice } from './layout.ts';

/** The format of the documents. */
const FORMAT = 1;

/** What a target holds. It cannot be changed: another choice needs another target. */
export interface TargetSettings extends LayoutChoice {
  readonly dataset: string;
  readonly ocsfVersion: string;
  /** The first commit of the lake, so that no other lake takes its days for gone. */
  readonly lake: string;
}

/** `publication.json`: settings, and the version of the lake that all days show at least. */
export interface Publication extends TargetSettings {
  readonly format: number;
  /** null before the first complete run. */
  readonly lakeVersion: number | null;
}

/** One file of a day. */
export interface DayFile {
  /** Relative to the target, with forward slashes. */
  readonly path: string;
  /** In a bucket: when it was put there, by the clock of the bucket. */
  readonly putAtMs?: number;
  /** As the schema names it. */
  readonly className: string;
  /** Source, account and part of the day: files of the same slot replace each other. */
  readonly slot: string;
  readonly rows: number;
  readonly bytes: number;
  /** Values of the source, and those of them that are in `unmapped`. Both 0 for findings. */
  readonly fields: number;
  readonly untyped: number;
}

/** What is published of a day. */
export interface DayState {
  /** Of the mapping. */
  readonly mapping: number;
  /** Of the data files that it was made from. */
  readonly fingerprint: string;
  /** Of the rows of all tables, so that files that hold the same rows change nothing. */
  readonly content: string;
  /** The version of the lake that it was made from. */
  readonly lakeVersion: number;
  readonly files: readonly DayFile[];
  /** Events that became the class of last resort, by event type. */
  readonly unclassified: Readonly<Record<string, number>>;
}

/** One file to put in place. */
export interface Move {
  /** Name in the work folder. */
  readonly staged: string;
  readonly to: string;
  /** The file of the same slot that it takes the place of; null where there is none. In a bucket, of the same name. */
  readonly replaces: string | null;
}

/** `days/<day>.json`. */
export interface DayDocument {
  readonly format: number;
  readonly day: Day;
  /** null before the first publication. */
  readonly current: DayState | null;
  /** What is being put in place; null while nothing is. Once written, it will be completed. */
  readonly next: {
    readonly state: DayState;
    readonly moves: readonly Move[];
    readonly removes: readonly string[];
  } | null;
}

/** Moments of a publication; a crash between two of them is completed by the next run. */
export type PublishStep = 'staged' | 'intended' | 'replaced' | 'renamed' | 'uploaded' | 'removed' | 'completed';

/** What is published into: a folder, or a prefix in a bucket. */
export interface Target {
  /** As a user names it. */
  readonly name: string;
  /** Called at each step, also of what an earlier run has left. */
  readonly onStep: (step: PublishStep) => void;
  /** Absolute path of a folder of this machine for files in progress. */
  readonly workFolder: string;
  readonly publication: Publication | null;
  /** @throws {EdrlakeError} `LAKE_UNWRITABLE` */
  writePublication(publication: Omit<Publication, 'format'>): Promise<void>;
  /** Something that is there and was not published; null where there is nothing. */
  stranger(): Promise<string | null>;
  /** Days that have a document, oldest first. */
  days(): Promise<Day[]>;
  /** null where there is none. */
  readDay(day: Day): Promise<DayDocument | null>;
  /** Durable when it returns. */
  writeDay(document: Omit<DayDocument, 'format'>): Promise<void>;
  /** The name of the file of a part of a day. */
  fileName(part: string): string;
  /**
   * Puts the files of a day in place, as its document says, and notes that it is done. Where the files in progress are
   * gone, it notes what is there, so that the day is published again. It can be interrupted and called again.
   */
  completeDay(document: Omit<DayDocument, 'format'>): Promise<void>;
  /** Whether the files of a day are there as they were put. */
  areFilesThere(current: DayState | null): Promise<boolean>;
  /** Removes what an interrupted run left behind beside the days. */
  clear(): Promise<void>;
  /** Lets others publish into it. */
  close(): Promise<void>;
}

/** Reads one of the documents. @throws {EdrlakeError} `PUBLISH_REFUSED` */
export function documentIn<T extends { readonly format: number }>(text: string, place: string): T {
  const document = parsed(text) as T | null;
  if (document?.format === FORMAT) return document;
  throw new EdrlakeError('PUBLISH_REFUSED', `${place} is damaged, or of a newer edrlake`, {
    hint: 'Publish into another place with --to, or restore the document.',
  });
}

/** Writes one of them. */
export function documentText(value: object): string {
  return `${JSON.stringify({ format: FORMAT, ...value }, null, 1)}\n`;
}

/** The files that are there of both states, as a state that no lake has: the day will be published again. */
export function mixedState(
  { current, next }: Pick<DayDocument, 'current' | 'next'>,
  there: readonly DayFile[],
): DayState | null {
  const base = current ?? next?.state;
  return base === undefined ? null : { ...base, fingerprint: MIXED, content: MIXED, files: there };
}

/** Completes the days that an interrupted run has begun, and removes what else it left behind. */
export async function finishDays(target: Target): Promise<void> {
  for (const day of await target.days()) {
    const document = await target.readDay(day);
    if (document !== null) await target.completeDay(document);
  }
  await target.clear();
}

/** Whether a day was left between two versions. */
export function isMixed({ fingerprint }: DayState): boolean {
  return fingerprint === MIXED;
}

const MIXED = '';

/** The error for a target that another process has. */
export function targetHeld(holder: ClaimHolder | null): EdrlakeError {
  if (holder === null) {
    return new EdrlakeError('PUBLISH_REFUSED', 'other processes publish into this place again and again', {
      hint: 'Run the same command again when they have ended.',
    });
  }
  const { file, owner, state } = holder;
  const who = owner === null ? 'a file that names no process' : `process ${owner.pid} on ${owner.host}`;
  const does = state === 'alive' ? 'publishes' : 'may be publishing';
  return new EdrlakeError('PUBLISH_REFUSED', `${who} ${does} into this place`, {
    context: { path: file },
    hint: state === 'alive' ? 'Wait for it, or choose another place with --to.' : `If it has ended, remove ${file}.`,
  });
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

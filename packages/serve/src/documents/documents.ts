import type { DayCoverage, PublicationState, QueryColumn, QueryReads } from '@edrlake/lake';
import type {
  ExportProgress,
  HourOfRequests,
  LastReconciliation,
  LoggedRequests,
  QuietLine,
  RequestLimitStatus,
  RunReport,
  RunSummary,
  TableStatus,
  TaskView,
} from '@edrlake/runner/history';
import type { DayState } from '@edrlake/runner/states';

/** An instant as `2020-08-17T00:00:00.000Z`. */
export type Iso = string;

/** A run in a list. */
export interface RunLine extends Omit<RunSummary, 'startedAtMs' | 'endedAtMs'> {
  readonly startedAt: Iso;
  readonly endedAt: Iso | null;
}

/** Days that follow each other, are in one state and need a look. */
export interface Attention {
  readonly from: string;
  readonly to: string;
  readonly days: number;
  readonly state: DayState;
  /** Days among them of which files are gone or cut. */
  readonly filesGone: number;
  /** Of its first day, such as `unrecoverable after 2026-12-14`; null where there is time enough. */
  readonly loss: string | null;
  readonly command: string;
}

/** Sources that fell silent and days far below what the lake has led to expect. */
export interface QuietDocument {
  readonly learnedDays: number;
  readonly findings: readonly QuietLine[];
}

/** Lists that are always hunted, and what was found of them. */
export interface HuntsLine {
  /** The version that was looked at, and data files of it that could not be. */
  readonly version: number;
  readonly pending: number;
  /** Whether the log does not have that version: an older log was restored since. */
  readonly isOfLostHistory: boolean;
  readonly lists: readonly {
    readonly name: string;
    readonly indicators: number;
    readonly matches: number;
    readonly hosts: number;
    readonly foundAt: Iso | null;
  }[];
}

/** `/api/questions`: questions that the owner of the lake has put beside it. */
export interface QuestionsDocument {
  readonly questions: readonly {
    /** Of its file, without `.sql`. */
    readonly name: string;
    /** The comment that it begins with. */
    readonly about: string | null;
    readonly sql: string;
  }[];
  /** Files that are none: empty, too long or unreadable. */
  readonly left: number;
}

/** `/api/coverage`: the lake and the state of every day. */
export interface CoverageDocument {
  readonly now: Iso;
  readonly lake: string;
  readonly dataset: string;
  readonly version: number;
  readonly committedAt: Iso | null;
  readonly tables: readonly TableStatus[];
  readonly bytes: number;
  readonly files: number;
  readonly newestEventAt: Iso | null;
  readonly watermark: Iso | null;
  readonly provenUntil: Iso | null;
  readonly budget: RequestLimitStatus | null;
  readonly publications: readonly PublicationState[];
  /** Lists that are always hunted; null where there are none. */
  readonly hunts: HuntsLine | null;
  /** What is below its expectation; null where that was never learned. */
  readonly quiet: QuietDocument | null;
  readonly lastRun: RunLine | null;
  readonly scope: string;
  readonly counts: Readonly<Record<DayState, number>>;
  /** First day, number of days, state; oldest first, without a gap. */
  readonly spans: readonly (readonly [string, number, DayState])[];
  /** Newest first. */
  readonly attention: readonly Attention[];
  readonly attentionLeft: number;
  readonly lostFiles: number;
  readonly lakeFlags: string;
}

/** A window that proves something of a day. */
export interface WindowLine {
  readonly id: string;
  readonly axis: 'event' | 'processed';
  readonly from: Iso;
  readonly to: Iso;
  readonly cuts: number;
  readonly scope: string;
  readonly counted: number;
  readonly fetched: number;
  readonly distinct: number;
  readonly rejected: number;
  /** What the lake holds of it now; null where the times alone do not tell. */
  readonly inLake: number | null;
  readonly comparedOnly: boolean;
  readonly ofThisDay: number;
  readonly verdict: string;
  readonly verifiedAt: Iso;
}

/** `/api/days/DAY`: all that is known of one day. */
export interface DayDocument {
  readonly day: string;
  readonly state: DayState;
  /** Sentences, the cause first. */
  readonly why: readonly string[];
  /** null where nothing has to be done. */
  readonly command: string | null;
  /** One for each scope. */
  readonly lines: readonly (Omit<DayCoverage, 'lastVerifiedAtMs'> & { readonly lastVerifiedAt: Iso | null })[];
  readonly compared: (LastReconciliationLine & { readonly at: Iso }) | null;
  /** What the lake holds in each hour. */
  readonly hours: readonly number[];
  readonly windows: readonly WindowLine[];
  readonly windowsLeft: number;
  readonly files: readonly {
    readonly table: string;
    readonly path: string;
    readonly rows: number;
    readonly bytes: number;
    readonly isLost: boolean;
  }[];
  readonly runs: readonly DayRun[];
}

/** The last comparison of a day with the API. */
export interface LastReconciliationLine extends Omit<LastReconciliation, 'verdict' | 'atMs'> {
  readonly verdict: string;
}

/** A run whose windows touch a day. */
export interface DayRun {
  readonly runId: string;
  readonly windows: number;
  readonly committedAt: Iso;
  /** Its journal is still there. */
  readonly isKept: boolean;
}

/** `/api/runs`: the newest runs, newest first. */
export interface RunsDocument {
  readonly now: Iso;
  readonly runs: readonly (RunLine & { readonly progress: ExportProgress | null })[];
}

/** A task or a part of one that failed, or was tried. */
export interface TaskLine extends Omit<TaskView, 'startedAtMs' | 'output'> {
  readonly startedAt: Iso | null;
}

/** `/api/runs/ID`: one run in full. */
export interface RunDocument extends RunLine, Pick<RunReport, 'params' | 'starts' | 'hooks'> {
  readonly tasks: readonly TaskLine[];
  readonly progress: ExportProgress | null;
}

/** `/api/requests`: requests by hour, and what is left of the limit. */
export interface RequestsDocument {
  readonly now: Iso;
  readonly since: Iso;
  readonly budget: {
    readonly left: number;
    readonly requests: number;
    readonly windowSeconds: number;
    readonly own: number;
    readonly foreign: number;
    readonly usedAt: Iso;
    /** null: when an answer has come. */
    readonly nextAt: Iso | null;
    readonly allFreeAt: Iso;
    readonly blockedUntil: Iso | null;
  } | null;
  readonly requests: readonly (Omit<LoggedRequests, 'hourMs'> & {
    readonly hour: Iso;
    /** Because the limit was used up. */
    readonly isRefused: boolean;
  })[];
  readonly hours: readonly (Omit<HourOfRequests, 'hourMs'> & { readonly hour: Iso })[];
  /** Of the log of requests. */
  readonly unreadableLines: number;
}

/** `/api/freshness`: how late events came. */
export interface FreshnessDocument {
  readonly now: Iso;
  readonly watermark: Iso | null;
  readonly provenUntil: Iso | null;
  readonly newestEventAt: Iso | null;
  readonly committedAt: Iso | null;
  /** Upper ends of the rows of the heat map; one row more has all that is later. */
  readonly delaysSeconds: readonly number[];
  /** null without events. */
  readonly columns: { readonly start: Iso; readonly binSeconds: number; readonly count: number } | null;
  /** Column, row, events. */
  readonly cells: readonly (readonly number[])[];
  readonly lags: {
    readonly seconds99: number | null;
    readonly seconds999: number | null;
    readonly events: number;
    /** Events without a time of processing. */
    readonly without: number;
  } | null;
}

/** `/api/tables`: tables and columns. */
export interface TablesDocument {
  readonly version: number;
  readonly dataset: string;
  readonly tables: readonly {
    readonly name: string;
    readonly columns: readonly { readonly name: string; readonly type: string; readonly meaning: string }[];
  }[];
}

/** `/api/ask`: the rows of one question as far as they are shown. */
export interface Answer {
  readonly columns: readonly QueryColumn[];
  readonly rows: readonly (readonly unknown[])[];
  /** There are more rows. */
  readonly isCut: boolean;
  readonly durationMs: number;
  /** How files of an object store were read; null where none were. */
  readonly reads: QueryReads | null;
}

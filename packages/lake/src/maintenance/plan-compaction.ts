import { type Day, dayOf, sum, type TableSpec, type TimeRange } from '@edrlake/core';
import { FILE_FORMAT } from '@edrlake/writers';
import type { LoggedFile } from '../log/lake-state.ts';
import type { Snapshot } from '../log/snapshot.ts';
import { partitionDay } from '../log/table-rows.ts';

/**
 * Files of one table and day that are merged into one sorted file: several small ones, or one that is not sorted yet.
 */
export interface MergeGroup {
  readonly table: TableSpec;
  readonly partition: string;
  readonly inputs: readonly LoggedFile[];
  readonly inputBytes: number;
}

/** The groups to merge, and the days that were considered. */
export interface CompactPlan {
  /** Oldest day first; all groups of a day together. */
  readonly groups: readonly MergeGroup[];
  /** Days with files of any table. */
  readonly days: ReadonlySet<Day>;
}

/** The sizes that decide which files are merged. */
export interface CompactSizes {
  readonly targetFileBytes: number;
  readonly minFiles: number;
  /** The most rows times columns of a merged file: a larger one would be sorted in too many ranges. */
  readonly maxCells: number;
  /** Take exactly the files of an older format, of any size and order. */
  readonly migrates: boolean;
}

/**
 * Plans which files are merged. A sorted file of at least half the largest size of a merged file is left alone: merging
 * it again with each few late rows would write everything many times.
 */
export function planCompaction(
  snapshot: Snapshot,
  tables: readonly TableSpec[],
  range: TimeRange | null,
  { targetFileBytes, minFiles, maxCells, migrates }: CompactSizes,
): CompactPlan {
  const days = new Set<Day>();
  const groups: MergeGroup[] = [];
  for (const table of tables) {
    const small = new Map<string, LoggedFile[]>();
    const maxRows = mostRows(table, maxCells);
    for (const file of snapshot.files[table.name] ?? []) {
      const day = partitionDay(file);
      if (range !== null && (day < dayOf(range.startMs) || day > dayOf(range.endMs - 1))) continue;
      days.add(day);
      if (migrates && isCurrentFormat(file)) continue;
      const isLarge = file.fileBytes >= targetFileBytes / 2 || file.rowCount >= maxRows / 2;
      if (!migrates && isLarge && (isSorted(file) || file.rowCount > maxRows)) continue;
      const ofPartition = small.get(file.partition);
      if (ofPartition === undefined) small.set(file.partition, [file]);
      else ofPartition.push(file);
    }
    for (const [partition, files] of small) {
      if (!migrates && files.every(isSorted) && files.length < Math.max(2, minFiles)) continue;
      for (const inputs of packed(files, targetFileBytes, maxRows)) {
        if (migrates || isWorthWriting(inputs)) groups.push({ table, partition, inputs, inputBytes: bytesOf(inputs) });
      }
    }
  }
  return { groups: groups.sort((a, b) => compare(partitionDay(a), partitionDay(b))), days };
}

/** The most rows of a merged file. */
function mostRows({ columns }: TableSpec, maxCells: number): number {
  return maxCells / columns.length;
}

/** Whether a file has the format that is written now. */
export function isCurrentFormat({ format = 1 }: LoggedFile): boolean {
  return format >= FILE_FORMAT;
}

function isSorted({ layout }: LoggedFile): boolean {
  return layout === 'sorted';
}

function isWorthWriting(inputs: readonly LoggedFile[]): boolean {
  return inputs.length > 1 || !inputs.every(isSorted);
}

/** Divides files, in commit order, into groups that fit into one file each. */
function packed(files: readonly LoggedFile[], maxBytes: number, maxRows: number): LoggedFile[][] {
  const bins: LoggedFile[][] = [];
  let [bytes, rows] = [0, 0];
  for (const file of files) {
    const last = bins.at(-1);
    if (last === undefined || bytes + file.fileBytes > maxBytes || rows + file.rowCount > maxRows) {
      bins.push([file]);
      [bytes, rows] = [file.fileBytes, file.rowCount];
    } else {
      last.push(file);
      bytes += file.fileBytes;
      rows += file.rowCount;
    }
  }
  return bins;
}

/** Divides a group in two, to need less memory; a single file that is already sorted is left out. */
export function halvesOf(group: MergeGroup): MergeGroup[] {
  const middle = Math.ceil(group.inputs.length / 2);
  return [group.inputs.slice(0, middle), group.inputs.slice(middle)]
    .filter((inputs) => inputs.length < group.inputs.length && isWorthWriting(inputs))
    .map((inputs) => ({ ...group, inputs, inputBytes: bytesOf(inputs) }));
}

/** The total size of some files. */
export function bytesOf(files: readonly LoggedFile[]): number {
  return sum(files, ({ fileBytes }) => fileBytes);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

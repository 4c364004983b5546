import { nounText } from '@edrlake/core';
import type { QueryReads, UnitedLakes } from '@edrlake/lake';
import type { FlagValues } from '../args/options.ts';
import type { ProcessContext } from '../process/process-context.ts';

/** A lake, and what its statements have said by now of how they read an object store; null: nothing. */
export interface NotedReads {
  readonly lake: UnitedLakes;
  reads(): QueryReads | null;
}

/**
 * The lake with a note on stderr of how its statements read an object store: at a terminal, and with `--log-level
 * debug`; once, and again where it changes.
 */
export function noteReads(
  lake: UnitedLakes,
  { 'log-level': level }: Pick<FlagValues, 'log-level'>,
  { stderr }: Pick<ProcessContext, 'stderr'>,
): NotedReads {
  const isShown = stderr.isTTY === true || level === 'debug';
  let last: QueryReads | null = null;
  const onReads = (reads: QueryReads) => {
    const isNews = last?.by !== reads.by || last.why !== reads.why;
    last = reads;
    if (isShown && isNews) stderr.write(`edrlake: ${readsText(reads)}\n`);
  };
  return {
    lake: {
      query: (sql, options) => lake.query(sql, { ...options, onReads }),
      queryArrow: (sql, options) => lake.queryArrow(sql, { ...options, onReads }),
      queryToParquet: (sql, file, options) => lake.queryToParquet(sql, file, { ...options, onReads }),
    },
    reads: () => last,
  };
}

/** `reads 12 files with httpfs, 3 of them from copies on this machine` */
function readsText({ by, files, copies, why }: QueryReads): string {
  const what = `reads ${nounText(files, 'file')}`;
  if (by === 'copies') return `${what} as copies on this machine: ${why}`;
  return `${what} with httpfs${copies === 0 ? '' : `, ${copies} of them as copies on this machine`}`;
}

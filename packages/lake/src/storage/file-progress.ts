import type { Emit, RunEvent } from '@edrlake/core';

type LakeWork = Extract<RunEvent, { readonly type: 'lake-work' }>['work'];

/** Says that work on data files begins. @returns what is called with the number of files that were done */
export function fileProgress(emit: Emit, work: LakeWork, total: number): (files: number) => void {
  let done = 0;
  if (total > 0) emit({ type: 'lake-work', work, done, total });
  return (files) => {
    done = Math.min(total, done + files);
    emit({ type: 'lake-work', work, done, total });
  };
}

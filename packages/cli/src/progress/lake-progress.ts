import { countText, durationText, MS_PER_SECOND, nounText, type RunEvent } from '@edrlake/core';
import { percentText } from '../text/format-numbers.ts';
import { padEnd, truncate } from '../text/text-width.ts';
import type { ProgressView } from './progress-display.ts';
import { barLine, toGoText } from './progress-line.ts';

type LakeWork = Extract<RunEvent, { readonly type: 'lake-work' }>;

const LABELS = { compact: 'Merging', migrate: 'Rewriting', index: 'Indexing', verify: 'Verifying' } as const;
const OPENING = 'Opening';
const LABEL_WIDTH = Math.max(...[OPENING, ...Object.values(LABELS)].map((label) => label.length));

/** A command at work on data files: how many of them are done, and how long the others may take. */
export function lakeProgress(startedAtMs: number): ProgressView {
  let work: LakeWork | null = null;
  let sinceMs = startedAtMs;
  return {
    advance: (event, nowMs) => {
      if (event.type !== 'lake-work') return;
      if (work === null || event.done === 0) sinceMs = nowMs;
      work = event;
    },
    lines: (nowMs, width) => [
      work === null
        ? `${padEnd(OPENING, LABEL_WIDTH)}  ${durationText(nowMs - startedAtMs)}`
        : workLine(work, nowMs - sinceMs, width),
    ],
    plainLine: (nowMs) => (work === null ? null : plainWorkLine(work, nowMs - sinceMs)),
  };
}

/** One line with a bar of at most `width` cells. */
export function workLine(work: LakeWork, elapsedMs: number, width: number): string {
  const label = padEnd(LABELS[work.work], LABEL_WIDTH);
  const bar = { part: work.done, whole: work.total };
  return truncate(barLine(label, bar, amountText(work, elapsedMs), width), width);
}

/** The same for a log. */
export function plainWorkLine(work: LakeWork, elapsedMs: number): string {
  return `${LABELS[work.work].toLowerCase()}, ${amountText(work, elapsedMs)}`;
}

/** The time that is left is what the files so far took, for each of the others. */
function amountText({ done, total }: LakeWork, elapsedMs: number): string {
  const amount = `${percentText(done, total)} · ${countText(done)} of ${nounText(total, 'file')}`;
  if (done === 0 || done === total || elapsedMs < MS_PER_SECOND) return amount;
  const leftMs = (elapsedMs / done) * (total - done);
  return `${amount} · ${toGoText(leftMs)}`;
}

import { countText, durationText, MS_PER_SECOND, nounText, type RunEvent } from '@edrlake/core';
import { percentText } from '../text/format-numbers.ts';
import { displayWidth, padEnd, truncate } from '../text/text-width.ts';
import { barText } from './bar-text.ts';
import type { ProgressView } from './progress-display.ts';

type LakeWork = Extract<RunEvent, { readonly type: 'lake-work' }>;

const LABELS = { compact: 'Merging', migrate: 'Rewriting', index: 'Indexing', verify: 'Verifying' } as const;
const OPENING = 'Opening';
const LABEL_WIDTH = Math.max(...[OPENING, ...Object.values(LABELS)].map((label) => label.length));
const BAR_WIDTHS = { narrowest: 10, widest: 40 };

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
  const amount = amountText(work, elapsedMs);
  const room = width - LABEL_WIDTH - displayWidth(amount) - 4;
  const bar =
    room < BAR_WIDTHS.narrowest ? '' : `${barText(work.done, work.total, Math.min(BAR_WIDTHS.widest, room))}  `;
  return truncate(`${label}  ${bar}${amount}`, width);
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
  return `${amount} · about ${durationText(Math.max(1, Math.ceil(leftMs / MS_PER_SECOND)) * MS_PER_SECOND)} to go`;
}

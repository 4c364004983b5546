import { countText, nounText, writeText } from '@edrlake/core';
import type { ExportReport } from '@edrlake/runner';
import { lineWidth, type ProcessContext } from '../process/process-context.ts';
import { truncate } from '../text/text-width.ts';

/** Reasons that are shown. */
const SHOWN = 5;

/**
 * Reports on stderr why too many records were rejected: each reason with a count and an example. Silent where there are
 * few.
 */
export async function writeRejects(reports: readonly ExportReport[], { stderr, env }: ProcessContext): Promise<void> {
  const text = rejectsText(reports, lineWidth(stderr, env));
  if (text !== '') await writeText(stderr, text);
}

/** The same as text, empty where no export has too many rejects. */
function rejectsText(reports: readonly ExportReport[], width: number): string {
  const bad = reports.filter(({ windows }) => windows.rejected.length > 0);
  return bad.map((report) => `${linesOf(report, width).join('\n')}\n`).join('');
}

function linesOf({ events, rejects, maxRejectShare }: ExportReport, width: number): string[] {
  const share = `${((100 * events.rejected) / Math.max(1, events.fetched)).toFixed(1)} %`;
  const lines = [
    `${countText(events.rejected)} of ${nounText(events.fetched, 'record')} could not become rows`,
    `(${share}, allowed are ${100 * maxRejectShare} %). They are kept in the table rejects.`,
  ];
  for (const { reason, count, sample } of rejects.slice(0, SHOWN)) {
    lines.push(`  ${countText(count)} × ${reason}, such as`, truncate(`    ${sample}`, width));
  }
  if (rejects.length > SHOWN) lines.push(`  … and ${nounText(rejects.length - SHOWN, 'reason')} more, see --json`);
  return lines;
}

/** How to go on. @param rangeFlags where the rejects are */
export function rejectedLines(rangeFlags: string): string[] {
  return [
    'A newer edrlake may read these records; update it, and the same command',
    'turns the rejects into rows. Where they are to stay rejects, allow them:',
    `Next: edrlake backfill ${rangeFlags} --max-reject-share 100%`,
  ];
}

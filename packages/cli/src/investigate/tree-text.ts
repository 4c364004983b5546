import { countText, instantText, isoInstant, nounText } from '@edrlake/core';
import type { GhostReason, HostTree, ProcessNode } from '@edrlake/runner/history';
import { oneLine, truncate } from '../text/text-width.ts';

const REASONS: Readonly<Record<GhostReason, string>> = {
  'not-fetched': 'not in the lake: may be on days that are not fetched',
  outside: 'not on these days; the lake has older ones, see --from',
  before: 'started before the lake begins',
  'not-at-api': 'the API listed no event of it',
  'before-or-not-at-api': 'started before the lake begins, or the API has no event of it',
};

/** A tree as plain data; instants are ISO text. */
export function treeDocument({ host, agentId, range, roots, processes, isCut }: HostTree) {
  const ends = { from: isoInstant(range.startMs), to: isoInstant(range.endMs) };
  return { host, agentId, ...ends, processes, isCut, roots: roots.map(nodeDocument) };
}

function nodeDocument({ firstSeenMs, children, ...node }: ProcessNode): object {
  return {
    ...node,
    firstSeen: firstSeenMs === null ? null : isoInstant(firstSeenMs),
    children: children.map(nodeDocument),
  };
}

/** A line for each process, its children below it. Ends with a line break. @param width of a line in cells */
export function treeText({ host, agentId, range, roots, processes, isCut }: HostTree, width: number): string {
  const lines = [
    truncate(`${oneLine(host)} (agent ${oneLine(agentId)})`, width),
    `${instantText(range.startMs)} to ${instantText(range.endMs)}: ${nounText(processes, 'process', 'processes')}`,
    '',
  ];
  if (roots.length === 0) lines.push('No event of these days is about a process.');
  for (const root of roots) addLines(lines, root, '', '', width);
  if (isCut) lines.push('', 'There are more: choose fewer days with --from and --to.');
  return `${lines.join('\n')}\n`;
}

function addLines(lines: string[], node: ProcessNode, first: string, rest: string, width: number): void {
  lines.push(truncate(`${first}${nodeText(node)}`, width));
  const last = node.children.length - 1;
  for (const [at, child] of node.children.entries()) {
    const isLast = at === last && node.leftOut === 0;
    addLines(lines, child, `${rest}${isLast ? '└─ ' : '├─ '}`, `${rest}${isLast ? '   ' : '│  '}`, width);
  }
  if (node.leftOut > 0) lines.push(`${rest}└─ … ${countText(node.leftOut)} more`);
}

function nodeText({ processId, name, firstSeenMs, ghost, isAsked, arguments: words, user }: ProcessNode): string {
  const mark = isAsked ? '* ' : '';
  const called = `${mark}${oneLine(name ?? (ghost === null ? 'unnamed' : 'unknown'))} [${processId}]`;
  if (ghost !== null) return `${called} ghost: ${REASONS[ghost]}`;
  const more = [user, words].flatMap((text) => (text === null ? [] : [oneLine(text)]));
  return [called, instantText(firstSeenMs ?? 0), ...more].join('  ');
}

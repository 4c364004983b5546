import type { ProcessNode } from '@edrlake/runner/history';
import { expect, it } from 'vitest';
import { treeText } from '../src/investigate/tree-text.ts';

const node = (processId: string, more: Partial<ProcessNode> = {}): ProcessNode => ({
  ...{ processId, name: `p${processId}.exe`, arguments: '-x', user: 'alice', firstSeenMs: 1_000, eventIds: ['e'] },
  ...{ ghost: null, isAsked: false, children: [], leftOut: 0, ...more },
});

it('a tree of processes fits into 80 columns', () => {
  const asked = node('3', { isAsked: true, arguments: 'y'.repeat(100) });
  const parent = node('2', { children: [asked, node('4')], leftOut: 12 });
  const root = node('1', { name: null, ghost: 'not-at-api', firstSeenMs: null, children: [parent] });
  const range = { startMs: 0, endMs: 86_400_000 };
  const text = treeText({ host: 'WS', agentId: 'a', range, roots: [root], processes: 3, isCut: false }, 80);
  expect(text.split('\n').slice(3)).toEqual([
    'unknown [1] ghost: the API listed no event of it',
    '└─ p2.exe [2]  1970-01-01T00:00:01Z  alice  -x',
    `   ├─ * p3.exe [3]  1970-01-01T00:00:01Z  alice  ${'y'.repeat(30)}…`,
    '   ├─ p4.exe [4]  1970-01-01T00:00:01Z  alice  -x',
    '   └─ … 12 more',
    '',
  ]);
});

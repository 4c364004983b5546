import type { PlantedBug } from './planted-bug.ts';

const SPANS = ['packages/telemetry/test/run-spans.tree.test.ts'];

/** Bugs of what operators see from outside. */
export const TELEMETRY: readonly PlantedBug[] = [
  {
    name: 'send-texts-of-errors',
    effect: 'sends the message of an error to the receiver of traces, with all that it quotes',
    file: 'packages/telemetry/src/run-spans.ts',
    find: '{ code: event.code }, event.code);',
    replace: '{ code: event.code }, event.message);',
    tests: SPANS,
  },
  {
    name: 'keep-spans-for-ever',
    effect: 'keeps each span that no event ends, until memory is full',
    file: 'packages/telemetry/src/run-spans.ts',
    find: 'if (open.size >= MAX_OPEN) return;',
    replace: 'if (open.size >= MAX_OPEN * MAX_OPEN) return;',
    tests: SPANS,
  },
];

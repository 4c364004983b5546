// A process of its own that works on a lake, for tests that kill it or let several compete. Its argument is a JSON
// plan.
import { type LakeWriter, openLake } from '../src/index.ts';
import { recognise } from '../src/indicators.ts';
import { objectsOn } from './object-address.ts';
import { deliver, proofOfDays, SMALL_OPTIONS, type SmallEvent } from './small-lake.ts';

interface ChildPlan {
  readonly directory: string;
  /** Of the server with the lake, where it is in an object store. */
  readonly url?: string;
  /** Default: DuckDB. */
  readonly writer?: LakeWriter;
  /** Events of each commit, in order. */
  readonly batches: readonly (readonly SmallEvent[])[];
  /** A domain that becomes a standing hunt before the batches. */
  readonly hunts?: string;
  /** What follows the batches. */
  readonly task?: 'compact' | 'forget' | 'promote' | 'demote';
  /** The step, and its occurrence from 1, at which the process kills itself; null for never. */
  readonly killAt: {
    readonly step: string;
    readonly occurrence: number;
    readonly signal?: 'SIGKILL' | 'SIGSTOP';
  } | null;
}

const plan = JSON.parse(process.argv[2] ?? '') as ChildPlan;
// Its warning about later versions of Node would be taken for an error of the child.
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
let occurrences = 0;
const lake = await openLake({
  ...SMALL_OPTIONS,
  directory: plan.directory,
  ...(plan.url === undefined ? {} : { objects: objectsOn({ url: plan.url }) }),
  writer: plan.writer ?? 'duckdb',
  threads: 1,
  onStep: (step) => {
    if (step !== plan.killAt?.step) return;
    occurrences += 1;
    if (occurrences !== plan.killAt.occurrence) return;
    process.kill(process.pid, plan.killAt.signal ?? 'SIGKILL');
  },
});
try {
  const indicator = recognise(plan.hunts ?? '');
  if (indicator !== null) {
    const { signal } = new AbortController();
    await lake.keepHunts(() => [{ name: 'list.txt', indicators: [indicator] }], { signal });
  }
  for (const events of plan.batches) {
    const [first] = events;
    const proofs = first === undefined ? [] : [proofOfDays(first.timeMs - (first.timeMs % 86_400_000), 1, events)];
    await deliver(lake, events, { proofs });
  }
  if (plan.task === 'compact') await lake.compact({}, { runId: 'child', signal: new AbortController().signal });
  const run = { runId: 'child', signal: new AbortController().signal };
  if (plan.task === 'promote') await lake.promote({ path: 'a.b' }, run);
  if (plan.task === 'demote') await lake.demote({ column: 'a_b' }, run);
  if (plan.task === 'forget') await lake.forgetLostFiles('child');
} finally {
  await lake.close();
}

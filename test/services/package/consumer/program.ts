// What a program of somewhere else does with the package: it is compiled there, strictly, and run by each Node.
import {
  backfill,
  type Clock,
  connect,
  type DayCoverage,
  definePipeline,
  type EdrEvent,
  EdrlakeError,
  type ErrorCode,
  type ExportReport,
  events,
  openLake,
  plan,
  type Reconciliation,
  type RunEvent,
  reconcile,
  runPipeline,
} from 'edrlake';
import { type Simulator, startSimulator } from 'edrlake/simulator';
import { manualClock, startTestGateway, type TestGateway } from 'edrlake/testing';

const DAY = { from: '2020-08-17', to: '2020-08-17' };
const [directory = 'lake'] = process.argv.slice(2);

const gateway: TestGateway = await startTestGateway({ ...DAY, events: 1_200, seed: 7, nullIdShare: 0 });
const progress: RunEvent['type'][] = [];
const lake = await openLake(directory, { onProgress: ({ type }) => progress.push(type) });
const { windowPlan } = await plan(gateway.source, DAY);
const report: ExportReport = await backfill(lake, gateway.source, DAY);
const counted = await lake.query<{ events: number }>('select count(*) as events from events').toArray();
const coverage: DayCoverage[] = await lake.coverage();
const { outcome }: Reconciliation = await reconcile(lake, gateway.source, DAY);

const read: EdrEvent[] = [];
for await (const page of events(gateway.source, DAY)) read.push(...page.events);

const again = definePipeline({
  name: 'again',
  params: { from: { type: 'day', meaning: 'first day', default: DAY.from } },
  tasks: {
    fetch: { uses: 'backfill', with: ({ params }) => ({ from: params.from, to: DAY.to }) },
    compact: { uses: 'compact', needs: ['fetch'], with: {} },
  },
});
const { state } = await runPipeline(lake, gateway.source, again);
await lake.close();
await gateway.close();

const clock: Clock = manualClock(Date.UTC(2020, 7, 20));
const range = { startMs: Date.UTC(2020, 7, 17), endMs: Date.UTC(2020, 7, 18) };
const simulator: Simulator = await startSimulator({ events: 10, range, seed: 1, clock });
const stranger = await connect({ baseUrl: simulator.url, username: 'demo', password: 'wrong' }, { clock });
const refused: ErrorCode = await plan(stranger, DAY).then(
  () => 'BUG',
  (thrown: unknown) => (thrown instanceof EdrlakeError ? thrown.code : 'BUG'),
);
await stranger.close();
await simulator.close();

const result = {
  planned: windowPlan.events,
  exported: report.outcome,
  counted: counted[0]?.events,
  days: coverage.map(({ day, verdict }) => `${day} ${verdict}`),
  compared: outcome,
  read: new Set(read.map(({ id }) => id)).size,
  pipeline: state,
  refused,
  committed: progress.includes('commit'),
};
process.stdout.write(`${JSON.stringify(result)}\n`);

// What the workflows import of Temporal, without a server: activities are functions of the test, whose arguments and
// results become JSON in between, and a history that is continued goes on at once. Load it with
//
//     vi.mock('@temporalio/workflow', async () => (await import('./fake-temporal.ts')).sdk);

/** An activity, by the name that workflows call it by. */
export type Activities = Readonly<Record<string, (...args: never[]) => Promise<unknown>>>;

/** A workflow in its histories. */
interface World {
  readonly activities: Activities;
  /** Events after which a history is long; an activity has three. */
  readonly most: number;
  readonly isCancelled: () => boolean;
  events: number;
  atWork: number;
  mostAtWork: number;
}

let world: World;

class CancelledFailure extends Error {}
class ApplicationFailure extends Error {}
class ActivityFailure extends Error {}

class ContinuedAsNew extends Error {
  readonly request: unknown;

  constructor(request: unknown) {
    super('the history is continued');
    this.request = request;
  }
}

const plain = <T>(value: T): T => (value === undefined ? value : (JSON.parse(JSON.stringify(value)) as T));

async function activity(name: string, args: readonly unknown[]): Promise<unknown> {
  const cancelled = () => new ActivityFailure(name, { cause: new CancelledFailure('cancelled') });
  if (world.isCancelled() && name !== 'endRun') throw cancelled();
  world.atWork += 1;
  world.mostAtWork = Math.max(world.mostAtWork, world.atWork);
  try {
    return plain(await world.activities[name]?.(...(plain(args) as never[])));
  } catch (thrown) {
    if (world.isCancelled()) throw cancelled();
    throw new ActivityFailure(name, { cause: thrown });
  } finally {
    world.atWork -= 1;
    world.events += 3;
  }
}

/** The package. */
export const sdk = {
  ActivityFailure,
  ApplicationFailure,
  ChildWorkflowFailure: class extends Error {},
  CancellationScope: {
    nonCancellable: (work: () => Promise<unknown>) => work(),
    current: () => ({ consideredCancelled: world.isCancelled() }),
  },
  continueAsNew: async (request: unknown) => {
    throw new ContinuedAsNew(plain(request));
  },
  defineQuery: (name: string) => name,
  isCancellation: (thrown: unknown) =>
    thrown instanceof CancelledFailure || (thrown instanceof Error && thrown.cause instanceof CancelledFailure),
  proxyActivities: () =>
    new Proxy(
      {},
      {
        get:
          (_, name) =>
          (...args: readonly unknown[]) =>
            activity(String(name), args),
      },
    ),
  setHandler: () => {},
  sleep: async () => {},
  workflowInfo: () => ({
    ...{ workflowId: 'edrlake/acme/test', runId: 'e8a5c3d2-0000-4000-8000-00000001f9a2c', startTime: new Date(0) },
    continueAsNewSuggested: world.events > world.most,
  }),
};

/** How a workflow ended, over all its histories. */
export interface WorkflowEnd<Result> {
  readonly result: Result | null;
  readonly thrown: unknown;
  readonly histories: number;
  readonly mostAtWork: number;
}

/** Runs a workflow to its end. @param most events of a history, after which it is long */
export async function runWorkflow<Request, Result>(
  workflow: (request: Request) => Promise<Result>,
  request: Request,
  { activities, most = 10_000, isCancelled = () => false }: Pick<World, 'activities'> & Partial<World>,
): Promise<WorkflowEnd<Result>> {
  world = { activities, most, isCancelled, events: 0, atWork: 0, mostAtWork: 0 };
  let next = request;
  for (let histories = 1; ; histories += 1) {
    world.events = 0;
    const end = await workflow(next).then(
      (result) => ({ result, thrown: null }),
      (thrown: unknown) => ({ result: null, thrown }),
    );
    const { mostAtWork } = world;
    if (!(end.thrown instanceof ContinuedAsNew)) return { ...end, histories, mostAtWork };
    if (histories > 100) throw new Error('the workflow is continued without an end');
    next = end.thrown.request as Request;
  }
}

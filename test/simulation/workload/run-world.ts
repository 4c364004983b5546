import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { MS_PER_DAY, seededRandom } from '@edrlake/core';
import { checkCommands } from '../checkers/check-commands.ts';
import { LakeChecker } from '../checkers/check-lake.ts';
import { History } from '../checkers/history.ts';
import { PromiseBroken, type PromiseName } from '../checkers/promise-broken.ts';
import { OperationFaults } from '../faults/operation-faults.ts';
import { subSeed } from '../world/gateway.ts';
import { type Ended, type Running, type RunProgram, World } from '../world/world.ts';
import type { DataChange, Step, WorldPlan } from './steps.ts';

/** The world to run, and how much of it. */
export interface WorldRequest {
  readonly seed: number;
  readonly plan: WorldPlan;
  /** The steps to take, by number; null for all. */
  readonly only: readonly number[] | null;
  readonly onTrace: ((line: string) => void) | null;
  readonly sabotage: Sabotage | null;
}

/**
 * A deliberate fault of the world itself: the disk only claims to sync, or the gateway hides a record from pages and
 * counts.
 */
export type Sabotage = 'syncs' | 'count';

/** The result of a world. */
export interface WorldReport {
  readonly seed: number;
  readonly traceHash: string;
  readonly broken: { readonly promise: PromiseName; readonly detail: string; readonly step: number } | null;
  readonly figures: Readonly<Record<Figure, number>>;
  /** The last operations. */
  readonly recent: readonly string[];
}

/** The numbers that are added up over many worlds. */
export type Figure =
  | 'steps'
  | 'commands'
  | 'operations'
  | 'requests'
  | 'deaths'
  | 'powerCuts'
  | 'interrupts'
  | 'errors'
  | 'gatewayFaults'
  | 'races'
  | 'proofs';

/** Exit codes of commands that could do all that they meant to do on the disk. */
const TIDY: ReadonlySet<number | null> = new Set([0, 3, 4, 6]);

/** Commands that recover the lake after a crash, before they do anything else. */
const WRITERS: ReadonlySet<string> = new Set(['backfill', 'sync', 'run', 'reconcile', 'compact', 'vacuum']);
/** How often commands repeat partly done work when the world is quiet. */
const QUIET_ROUNDS = 8;

let checkerDuckDb: Promise<DuckDBConnection> | null = null;

/** Runs one world. It leaves nothing on disk. */
export async function runWorld(request: WorldRequest, runProgram: RunProgram): Promise<WorldReport> {
  const { plan } = request;
  const world = await World.open(request.seed, plan.setting, runProgram);
  const { onTrace } = request;
  world.scheduler.onTrace = onTrace;
  if (onTrace !== null) world.onEnded = ({ stdout, stderr }) => onTrace(`${stdout}${stderr}`);
  checkerDuckDb ??= DuckDBInstance.create(':memory:', { threads: '1' }).then((instance) => instance.connect());
  const life = new Life(world, plan, await checkerDuckDb);
  if (request.sabotage === 'syncs') world.disk.forgetsSyncs = true;
  if (request.sabotage === 'count') life.history.invent();
  let broken: WorldReport['broken'] = null;
  try {
    for (const [nth, step] of plan.steps.entries()) {
      if (request.only === null || request.only.includes(nth)) await life.take(nth, step);
    }
    await life.beQuiet();
  } catch (thrown) {
    if (!(thrown instanceof PromiseBroken)) {
      if (!/no end after|everything waits/.test(String(thrown))) throw thrown;
      broken = { promise: 'ends', detail: String(thrown), step: life.step };
    } else broken = { promise: thrown.promise, detail: thrown.message, step: life.step };
    world.scheduler.note(`broken: ${broken.promise}`);
  } finally {
    await world.close();
  }
  return {
    seed: request.seed,
    traceHash: world.scheduler.traceHash(),
    broken,
    figures: life.figures(),
    recent: world.scheduler.recent,
  };
}

/** One world while it runs. */
class Life {
  /** The current step; −1 while the world is quiet at its end. */
  step = 0;
  private readonly world: World;
  private readonly plan: WorldPlan;
  readonly history: History;
  private readonly faults: OperationFaults;
  private readonly checker: LakeChecker;
  private clockWasSet = false;
  private steps = 0;
  private commands = 0;
  private races = 0;
  private gatewayFaults = 0;

  constructor(world: World, plan: WorldPlan, connection: DuckDBConnection) {
    this.world = world;
    this.plan = plan;
    this.history = new History(world.gateway.simulator, plan.setting.gateway.events, world.gateway.nowMs);
    this.faults = new OperationFaults(world, seededRandom(subSeed(plan.setting.gateway.seed ?? 0, 'faults')));
    world.scheduler.interference = this.faults;
    this.checker = new LakeChecker(world, this.history, connection);
  }

  figures(): Record<Figure, number> {
    const { deaths, powerCuts, interrupts, errors } = this.faults.tally;
    return {
      steps: this.steps,
      commands: this.commands,
      operations: this.world.scheduler.performed,
      requests: this.world.gateway.simulator.calls.total,
      deaths,
      powerCuts,
      interrupts,
      errors,
      gatewayFaults: this.gatewayFaults,
      races: this.races,
      proofs: this.checker.tally.proven,
    };
  }

  async take(nth: number, step: Step): Promise<void> {
    this.step = nth;
    this.steps += 1;
    const { world } = this;
    world.scheduler.note(`step ${nth}: ${step.kind}`);
    switch (step.kind) {
      case 'pass':
        return world.pass(step.ms);
      case 'change':
        return this.change(step.change);
      case 'clock':
        return this.setClock(step.offsetMs);
      case 'commands': {
        const ended = await this.run(step);
        await this.check(ended);
      }
    }
  }

  /**
   * Without faults and with time to settle, commands that are repeated until they are done bring the lake to the truth.
   */
  async beQuiet(): Promise<void> {
    this.step = -1;
    const { world, plan } = this;
    world.scheduler.note('quiet');
    world.gateway.simulator.faults.clear();
    world.setClock(0);
    world.gateway.freeze();
    this.history.freeze();
    world.pass(2 * MS_PER_DAY);
    const lastDay = new Date(Math.min(world.scheduler.nowMs, world.gateway.nowMs()) - MS_PER_DAY)
      .toISOString()
      .slice(0, 10);
    const { firstDay } = plan;
    // As many records without an id as make a window `rejected` are allowed as a user would allow them.
    const isRejected = this.history.events.filter(({ id }) => id === null).length >= 10;
    const flags = [...plan.flags, ...(isRejected ? ['--max-reject-share', '100%'] : [])];
    if (plan.syncsAtEnd) await this.untilDone(['sync', '--since', firstDay, ...flags]);
    await this.untilDone(['backfill', '--from', firstDay, '--to', lastDay, ...flags]);
    await this.untilDone(['reconcile', '--repair', ...flags]);
    if (plan.compactsAtEnd) {
      await this.untilDone(['compact']);
      await this.untilDone(['vacuum', '--grace', '0s']);
    }
    await this.untilDone(['status', '--json']);
    const lake = await this.checker.checkAlways();
    const nowMs = world.gateway.nowMs();
    this.checker.checkEqualsTruth(lake, nowMs);
    await this.checker.checkPattern(lake);
  }

  private async untilDone(args: readonly string[]): Promise<void> {
    let last: Ended | null = null;
    for (let round = 0; round < QUIET_ROUNDS; round += 1) {
      [last = null] = await this.run({
        kind: 'commands',
        commands: [{ args, startsAfterMs: 0, faults: [] }],
        gatewayFaults: [],
        changes: [],
        clock: null,
      });
      if (last === null) throw new Error('a command that was started did not end');
      await this.check([last]);
      if (last.exitCode === 0) return;
    }
    const said = `${last?.stdout}${last?.stderr}`.trim().slice(-400);
    throw new PromiseBroken(
      'resumed',
      `"${args.slice(0, 5).join(' ')}" ends with ${last?.exitCode} ever again: ${said}`,
    );
  }

  private async run(step: Step & { kind: 'commands' }): Promise<Ended[]> {
    const { world } = this;
    world.gateway.simulator.faults.clear();
    world.gateway.simulator.faults.push(...step.gatewayFaults);
    this.checker.pagesMayLack = step.gatewayFaults.some(({ kind }) => kind === 'missing-row');
    this.gatewayFaults += step.gatewayFaults.reduce((sum, { times }) => sum + (times ?? 1), 0);
    const runs: Running[] = [];
    for (const { args, startsAfterMs, faults } of step.commands) {
      const start = () => {
        if (world.running.length > 0) this.races += 1;
        this.commands += 1;
        const running = world.start(args, (process) => this.faults.plan(process, faults));
        runs.push(running);
      };
      if (startsAfterMs === 0) start();
      else world.scheduler.timer(null, startsAfterMs, start);
    }
    for (const { afterMs, change } of step.changes) world.scheduler.timer(null, afterMs, () => this.change(change));
    const { clock } = step;
    if (clock !== null) world.scheduler.timer(null, clock.afterMs, () => this.setClock(clock.offsetMs));
    await world.scheduler.runUntil(() => runs.length === step.commands.length && world.running.length === 0);
    this.gatewayFaults -= world.gateway.simulator.faults.pending;
    return runs.flatMap(({ ended }) => ended ?? []);
  }

  private setClock(offsetMs: number): void {
    this.clockWasSet = true;
    this.world.setClock(offsetMs);
  }

  private change(change: DataChange): void {
    const { world, history } = this;
    world.gateway.advance();
    if (change.what === 'revise') history.revise(change.nths);
    else history.add({ ...change.addition, processedAtMs: world.gateway.nowMs() + change.processedAfterMs });
    world.gateway.advance();
    world.scheduler.note(`${world.scheduler.nowMs} change ${change.what}`);
  }

  private async check(ended: readonly Ended[]): Promise<void> {
    const { world, checker, faults } = this;
    const { powerCuts, errors } = faults.tally;
    const lake = await checker.checkAlways(ended);
    const limits = powerCuts === 0 && errors === 0 && !this.clockWasSet;
    checkCommands(world, checker, ended, lake, { limits });
    const last = ended.toSorted((a, b) => a.endedAtMs - b.endedAtMs).at(-1);
    // What a command that failed could not take back is tidied up by the next one that begins.
    const isTidy = ended.every(
      ({ exitCode, endedAtMs }) => TIDY.has(exitCode) || (exitCode !== null && endedAtMs < (last?.startedAtMs ?? 0)),
    );
    if (isTidy && last?.exitCode === 0 && WRITERS.has(last.args[0] ?? '')) await checker.checkPattern(lake);
  }
}

import type { Addition, Fault } from '@edrlake/simulator';
import type { OperationFault } from '../faults/operation-faults.ts';
import type { WorldSetting } from '../world/world.ts';

/** A command line, when it starts, and its faults. */
export interface PlannedCommand {
  readonly args: readonly string[];
  /** After the step has begun. */
  readonly startsAfterMs: number;
  readonly faults: readonly OperationFault[];
}

/** A change of the gateway's data. */
export type DataChange =
  | { readonly what: 'add'; readonly addition: Omit<Addition, 'processedAtMs'>; readonly processedAfterMs: number }
  | { readonly what: 'revise'; readonly nths: readonly number[] };

/** The steps of a world, as plain data. */
export type Step =
  | {
      readonly kind: 'commands';
      readonly commands: readonly PlannedCommand[];
      readonly gatewayFaults: readonly Fault[];
      readonly changes: readonly { readonly afterMs: number; readonly change: DataChange }[];
      /** The machine's clock jumps; null for no jump. */
      readonly clock: { readonly afterMs: number; readonly offsetMs: number } | null;
    }
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'change'; readonly change: DataChange }
  /** Sets the machine's clock ahead of the world's time. */
  | { readonly kind: 'clock'; readonly offsetMs: number };

/** Everything that a seed decides before the world begins. */
export interface WorldPlan {
  readonly setting: WorldSetting;
  /** Flags that all commands of this world get. */
  readonly flags: readonly string[];
  /** The first day of the data. */
  readonly firstDay: string;
  readonly steps: readonly Step[];
  /**
   * Commands that complete the lake at the end, in addition to a backfill and a repair; each costs as much as a step.
   */
  readonly syncsAtEnd: boolean;
  readonly compactsAtEnd: boolean;
}

/** One line about a step. */
export function stepText(step: Step): string {
  switch (step.kind) {
    case 'pass':
      return `${Math.round(step.ms / 60_000)} minutes pass`;
    case 'clock':
      return clockText(step.offsetMs);
    case 'change':
      return changeText(step.change);
    case 'commands': {
      const lines = step.commands.map(({ args, startsAfterMs, faults }) => {
        const delay = startsAfterMs === 0 ? '' : ` after ${startsAfterMs} ms`;
        return `edrlake ${args.join(' ')}${delay}${faults.map((fault) => `\n      ${faultText(fault)}`).join('')}`;
      });
      const gateway = step.gatewayFaults.map((fault) => `gateway: ${JSON.stringify(fault)}`);
      const changes = step.changes.map(({ afterMs, change }) => `after ${afterMs} ms ${changeText(change)}`);
      const { clock } = step;
      const jump = clock === null ? [] : [`after ${clock.afterMs} ms ${clockText(clock.offsetMs)}`];
      return [...lines, ...gateway, ...changes, ...jump].join('\n    ');
    }
  }
}

function clockText(offsetMs: number): string {
  return `the machine's clock is set to ${Math.round(offsetMs / 1000)} s more than the world's time`;
}

function changeText(change: DataChange): string {
  if (change.what === 'revise') return `events ${change.nths.join(', ')} change`;
  const { events, range } = change.addition;
  const from = new Date(range.startMs).toISOString();
  return `${events} events from ${from} on are added, processed ${Math.round(change.processedAfterMs / 1000)} s later`;
}

function faultText(fault: OperationFault): string {
  const at = `operation ${fault.nth} of kind ${fault.kind}`;
  switch (fault.what) {
    case 'interrupt':
      return `Ctrl-C at ${at}`;
    case 'error':
      return `${fault.code}, ${fault.times} times from ${at} on`;
    case 'death':
    case 'power-cut':
      return `${fault.what} ${fault.when === 'half' ? 'in the middle of' : fault.when} ${at}`;
  }
}

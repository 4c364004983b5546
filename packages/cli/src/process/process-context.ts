import type { Readable } from 'node:stream';
import { type Clock, type Emit, type Random, writeText } from '@edrlake/core';
import { asPasted, type Pasting, programName } from './program-name.ts';

/** A stream that is a terminal, or is not. */
export interface TextSink extends NodeJS.WritableStream {
  readonly isTTY?: boolean | undefined;
  /** Width of the terminal in characters. */
  readonly columns?: number | undefined;
}

/** Where the account of a subscription comes from. The variables of a command without one do not count for it. */
export interface AccountSource {
  /** Of the subscription. */
  readonly name: string;
  /** The customer whose events its lake may hold, where the configuration says it; else null. */
  readonly customerId: string | null;
  /** Begins its variables, such as `EDRLAKE_SUBSCRIPTION_ACME_`. */
  readonly prefix: string;
  /** What the configuration file says; a variable wins. Paths are those of files with a secret. */
  readonly configured: Readonly<Partial<Record<'username' | 'passwordFile' | 'clientId' | 'clientSecretFile', string>>>;
}

/** Everything of the process that a command may touch. Tests bring their own. */
export interface ProcessContext {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
  readonly stdin: Readable & { readonly isTTY?: boolean | undefined };
  /** Results, and nothing else. */
  readonly stdout: TextSink;
  /** Progress, logs and errors for people. */
  readonly stderr: TextSink;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborted by the first Ctrl-C or a request to terminate. */
  readonly signal: AbortSignal;
  /** Gets every event of the command's work, besides what shows it; none unless telemetry is asked for. */
  readonly observe?: Emit;
  /** The version of edrlake. */
  readonly version: string;
  /** Program and first arguments that start this same command again. */
  readonly selfCommand: readonly [string, ...string[]];
  /**
   * Starts a process that ends with this one, also when this one is killed. Its stdout is a pipe, its stderr is ours.
   */
  readonly spawnChild: (command: readonly [string, ...string[]], options: ChildOptions) => Child;
  /** Of the subscription that a command works for; absent: the account of the environment. */
  readonly account?: AccountSource;
  /** ` --lake DIR --dataset NAME` as far as they were typed, for commands that a message names. */
  readonly lakeFlags?: string;
}

/** What a child process gets from us. */
export interface ChildOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
}

/** A child process that runs. */
export interface Child {
  readonly stdout: Readable;
  /** Asks it to end and resolves when it has. */
  stop(): Promise<void>;
}

const NARROWEST = 40;
const USUAL = 80;

/** How many characters a line may have: the terminal's width, `COLUMNS`, or 80. */
export function lineWidth(sink: TextSink, env: ProcessContext['env']): number {
  const columns = sink.columns ?? Number(env.COLUMNS);
  return Number.isInteger(columns) && columns > 0 ? Math.max(NARROWEST, columns) : USUAL;
}

/** Whether to colour: only at a terminal with colours, and not where `NO_COLOR` is set. */
export function showsColour(sink: TextSink, env: ProcessContext['env']): boolean {
  return sink.isTTY === true && (env.NO_COLOR ?? '') === '' && env.TERM !== 'dumb';
}

/** Writes a text for a user to stdout, with each command that it names as the user can paste it. Not for data. */
export async function writeMessage(context: Pick<ProcessContext, 'stdout'> & Addressee, text: string): Promise<void> {
  await writeText(context.stdout, asPasted(text, pastingOf(context)));
}

/** What decides how the commands of a message are written. */
export type Addressee = Pick<ProcessContext, 'env' | 'account' | 'lakeFlags'>;

/** For whom the commands of a message are. */
export function pastingOf({ env, account, lakeFlags }: Addressee): Pasting {
  return { program: programName(env), subscription: account?.name, lakeFlags };
}

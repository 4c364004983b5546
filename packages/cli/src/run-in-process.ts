import { EdrlakeError, isWorkLeft, seededRandom, systemClock } from '@edrlake/core';
import { childSpawner } from './process/child-process.ts';
import { lineWidth, type ProcessContext } from './process/process-context.ts';
import { runProgram } from './program.ts';
import { errorDocument, errorText } from './text/error-text.ts';
import { VERSION } from './version.ts';

/** A command that does not stop within this time after Ctrl-C is ended: the lake is safe at any moment. */
const STOP_WITHIN_MS = 1_800;

/**
 * Runs the command line of this process: its streams, its signals, its exit code. Ends the process.
 * @param args without program and script
 */
export async function runInProcess(args: readonly string[]): Promise<void> {
  // Which Node its client library for object stores will need is no concern of who runs this command.
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true';
  const abort = new AbortController();
  const interrupt = new EdrlakeError('INTERRUPTED', 'stopped before the end', {
    hint: 'Run the same command again to resume.',
  });
  const endAtOnce = () => {
    if (args.includes('--json')) process.stdout.write(`${JSON.stringify(errorDocument(interrupt))}\n`);
    else process.stderr.write(`\n${errorText(interrupt, lineWidth(process.stderr, process.env))}`);
    endBySignal();
  };
  const stop = () => {
    // A second Ctrl-C.
    if (abort.signal.aborted) endBySignal();
    setTimeout(endAtOnce, STOP_WITHIN_MS).unref();
    abort.abort(interrupt);
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  process.on('SIGHUP', stop);
  // The parent process is gone.
  process.on('disconnect', stop);
  process.channel?.unref();
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => endOutput(stream, error, args[0] ?? ''));
  }
  const context: ProcessContext = {
    env: process.env,
    workingDirectory: process.cwd(),
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    clock: systemClock,
    random: seededRandom(Date.now() ^ process.pid),
    signal: abort.signal,
    version: VERSION,
    selfCommand: [process.execPath, process.argv[1] ?? ''],
    spawnChild: childSpawner(process),
  };
  process.exitCode = await runProgram(args, context);
  // Nothing is left to do; what still holds the event loop (an idle connection, stdin) must not hold the shell.
  if (process.stdout.writableLength === 0 && process.stderr.writableLength === 0) endProcess(process.exitCode);
  process.stdin.destroy();
}

/** Ends the process in order, unless native code that was interrupted goes on. */
function endProcess(exitCode: number): void {
  if (isWorkLeft()) endBySignal();
  else process.exit(exitCode);
}

/**
 * Ends the process as the signal of Ctrl-C does, which a shell reports as 130. `process.exit` waits for native code
 * that does not hear its interruption: a statement over a large lake, a file on a disk that does not answer.
 */
function endBySignal(): void {
  process.removeAllListeners('SIGINT');
  process.kill(process.pid, 'SIGINT');
}

/** Commands that only show something: without a reader of their result, nothing is left to do. */
const SHOWING = new Set([
  'query',
  'export',
  'sql',
  'status',
  'runs',
  'count',
  'event',
  'plan',
  'doctor',
  'completion',
  'simulate',
]);

/** Ends the process, or not, when one of its output streams fails. */
function endOutput(stream: NodeJS.WriteStream, error: NodeJS.ErrnoException, command: string): void {
  if (error.code === 'EPIPE') {
    // The reader has closed the pipe (`edrlake query … | head`).
    if (stream === process.stdout && (SHOWING.has(command) || command.startsWith('-'))) process.exit(0);
    // An export goes on without its log reader, to its own exit code; its log is dropped.
    stream.write = () => true;
    return;
  }
  if (stream === process.stdout)
    process.stderr.write(`edrlake: the output cannot be written: ${error.code ?? error.message}\n`);
  process.exit(1);
}

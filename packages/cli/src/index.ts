export type { CommandInput, RunCommand } from './args/command.ts';
export type { Child, ChildOptions, ProcessContext, TextSink } from './process/process-context.ts';
export { runProgram } from './program.ts';
export { VERSION } from './version.ts';

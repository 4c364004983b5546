// The state of a run as the fold of its lines, for an engine that keeps it elsewhere. Nothing else is loaded from here:
// it runs where there is neither Node nor a disk.
export type { StartLine, StepOrder, StepTask } from './workflow/engine/single-task.ts';
export {
  applyLine,
  outcomeOf,
  type PipelineLine,
  type RunState,
  runOutcomeOf,
  startState,
  type WorkflowRef,
} from './workflow/state/run-state.ts';
export { endedAs, isFinished, type RunOutcome, type RunStatus } from './workflow/state/run-status.ts';
export { type LostWork, outputOf, type PipelineRunView, viewRun } from './workflow/state/run-view.ts';
export { verdictOn } from './workflow/state/verdict.ts';

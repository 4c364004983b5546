/**
 * Whether a child could not be started, because a workflow of its id is at work. Its class is in a package that is not
 * among those which are installed by name.
 */
export function isAlreadyStarted(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === 'WorkflowExecutionAlreadyStartedError';
}

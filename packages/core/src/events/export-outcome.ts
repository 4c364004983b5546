/** How exports end, worst first: the worst outcome of several is that of the command. */
const OUTCOMES = ['partly', 'mismatch', 'rejected', 'done'] as const;

/**
 * How an export ended. `done`: all proven. `partly`: some windows failed or are unverified. `mismatch`: some windows do
 * not add up. `rejected`: all adds up, but too many records could not become rows.
 */
export type ExportOutcome = (typeof OUTCOMES)[number];

/** The worst of several ends; `done` for none. */
export function worstOutcome(outcomes: readonly ExportOutcome[]): ExportOutcome {
  return OUTCOMES.find((outcome) => outcomes.includes(outcome)) ?? 'done';
}

// What the states of days and runs are called, for the command and the page. Nothing else is loaded from here: it runs
// in a browser too.
export { DAY_STATE_NAMES, DAY_STATES, type DayState } from './days/day-states.ts';
export {
  isFinished,
  type RunStatus,
  STATUS_MARKS,
  type UnitStatus,
} from './workflow/state/run-status.ts';

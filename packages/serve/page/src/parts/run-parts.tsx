import { countText } from '@edrlake/core/quantities';
import type { ExportProgress } from '@edrlake/runner/history';
import { type RunStatus, STATUS_MARKS, type UnitStatus } from '@edrlake/runner/states';

const BAD = ['failed', 'died', 'mismatch', 'rejected', 'partly'];
const GOOD = ['done', 'complete'];

/** The state of a run or task: a mark that differs in shape, and the word. */
export function RunState({ state }: { state: RunStatus | UnitStatus }) {
  const colour = BAD.includes(state) ? 'var(--bad)' : GOOD.includes(state) ? 'var(--good)' : 'var(--soft)';
  return (
    <span class="badge">
      <span aria-hidden="true" style={{ color: colour }}>
        {STATUS_MARKS[state]}
      </span>
      {state}
    </span>
  );
}

/** How far an export is, by its plan. */
export function Progress({ progress }: { progress: ExportProgress | null }) {
  if (progress === null) return null;
  const { windows, windowsDone, windowsFailed, pages, pagesDone } = progress;
  if (pages === null || windows === null) return <p class="soft small">planning</p>;
  const share = pages === 0 ? 1 : Math.min(1, pagesDone / pages);
  const failed = windowsFailed === 0 ? '' : `, ${countText(windowsFailed)} failed`;
  return (
    <div>
      <div
        class="progress"
        role="progressbar"
        aria-label="Pages fetched"
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.floor(share * 100)}
      >
        <div class="part" style={{ width: `${share * 100}%` }} />
      </div>
      <p class="soft small num">
        {countText(pagesDone)} of {countText(pages)} pages, {countText(windowsDone)} of {countText(windows)} windows
        committed{failed}
      </p>
    </div>
  );
}

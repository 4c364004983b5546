// node ask.mjs '{"place": …, "options": …, "statements": […], "abortAfterMs": …}'
// Prints, for each statement, its rows or what it threw, and how the store was read.
import { openLake } from 'edrlake';

const { place, options, statements, abortAfterMs } = JSON.parse(process.argv[2]);
const lake = await openLake(place, { ...options, readOnly: true });
const answers = [];
for (const sql of statements) {
  const reads = [];
  const startedMs = performance.now();
  const signal = abortAfterMs === undefined ? undefined : AbortSignal.timeout(abortAfterMs);
  const asked = { onReads: (found) => reads.push(found), ...(signal && { signal }) };
  const answer = { rows: null, error: null };
  try {
    const rows = [];
    for await (const row of lake.query(sql, asked).arrays()) rows.push(row);
    answer.rows = JSON.parse(JSON.stringify(rows, (_, value) => (typeof value === 'bigint' ? `${value}` : value)));
  } catch (thrown) {
    const { code, message, hint } = thrown;
    answer.error = { code, message, hint, whole: everything(thrown) };
  }
  answers.push({ sql, ...answer, reads, tookMs: performance.now() - startedMs });
}
// Node waits for native code, and a statement that hangs is some.
process.stdout.write(JSON.stringify(answers), () => process.kill(process.pid, 'SIGKILL'));

/** All that an error holds, with its causes. */
function everything(thrown) {
  if (!(thrown instanceof Error)) return String(thrown);
  return `${thrown.stack}\n${JSON.stringify(thrown)}\n${thrown.cause === undefined ? '' : everything(thrown.cause)}`;
}

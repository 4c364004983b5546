import { type RejectReason, rowsOf, type SqlConnection } from '@edrlake/core';

/** Characters of a record that are shown as a sample. */
const SAMPLE_LENGTH = 200;

/** Why records became rejects, the most frequent reason first, each with the beginning of one record on one line. */
export async function rejectReasonsOf(connection: SqlConnection, rejects: string): Promise<readonly RejectReason[]> {
  const sample = `min(left(record, ${SAMPLE_LENGTH + 1}))`;
  const rows = await rowsOf(
    connection,
    `SELECT reject_reason AS reason, count(*)::INTEGER AS count, ${sample} AS sample FROM ${rejects} GROUP BY reject_reason ORDER BY count DESC, reason`,
  );
  return rows.map((row) => ({
    reason: String(row.reason),
    count: Number(row.count),
    sample: oneLine(String(row.sample)),
  }));
}

function oneLine(text: string): string {
  const shown = text.replace(/\p{Cc}+/gu, ' ');
  return shown.length > SAMPLE_LENGTH ? `${shown.slice(0, SAMPLE_LENGTH - 1)}…` : shown;
}

/**
 * One place in one history of commits. After an older log was restored, other commits reach the numbers of those that
 * were lost: only number and commit together say that two know the same.
 */
export interface LogPoint {
  readonly version: number;
  /** Of the entry that made the version; null before the first, and where an older edrlake did not record it. */
  readonly commitId: string | null;
}

/** Whether both are the same version of the same history. @param other absent: there is none */
export function isSamePoint({ version, commitId }: LogPoint, other: Partial<LogPoint> | null): boolean {
  return other !== null && version === other.version && commitId === (other.commitId ?? null);
}

/** Whether what shows a version shows one that the log does not have, or another commit of the same number. */
export function isOfLostHistory({ version, commitId }: LogPoint, shown: Partial<LogPoint>): boolean {
  const { version: number = 0, commitId: id = null } = shown;
  return number > version || (number === version && id !== null && commitId !== null && id !== commitId);
}

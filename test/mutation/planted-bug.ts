/** A plausible bug: one replaced text in one source file, and the tests that must notice it. */
export interface PlantedBug {
  /** Short and unique, for `--only`. */
  readonly name: string;
  /** The wrong behaviour, as a sentence without a subject: `skips the last page of a window`. */
  readonly effect: string;
  /** Path from the top of the repository. */
  readonly file: string;
  /** Occurs exactly once in the file. */
  readonly find: string;
  readonly replace: string;
  /** Test files or folders, as arguments of vitest. */
  readonly tests: readonly string[];
  /** The tests run the build, not the sources. */
  readonly needsBuild?: boolean;
}

/** The source with the bug. @throws {Error} when the text to replace does not occur exactly once */
export function plant(bug: PlantedBug, source: string): string {
  const occurrences = source.split(bug.find).length - 1;
  if (occurrences !== 1) {
    throw new Error(`${bug.name}: expected the text to replace once in ${bug.file}, found it ${occurrences} times`);
  }
  return source.replace(bug.find, () => bug.replace);
}

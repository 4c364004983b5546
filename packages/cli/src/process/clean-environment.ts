/** A byte order mark before, and line ends after a value: left over from a file that was edited on Windows. */
const LEFT_OVER = /^\uFEFF|[\r\n]+$/g;

const OURS = /^\uFEFF?(EDRLAKE_\w+|(?:https?|all|no)_proxy)$/i;

/**
 * The environment with the values this command reads as they were meant: without the byte order mark and the line ends
 * that a file leaves in them which was written on Windows. Blanks stay, and other variables stay as they are.
 */
export function cleanEnvironment(
  env: Readonly<Record<string, string | undefined>>,
): Readonly<Record<string, string | undefined>> {
  const clean: Record<string, string | undefined> = { ...env };
  for (const [name, value] of Object.entries(env)) {
    if (value === undefined || !OURS.test(name)) continue;
    const meant = value.replace(LEFT_OVER, '');
    if (name.startsWith('\uFEFF')) {
      // The mark of a whole file ends up in the name of its first variable.
      delete clean[name];
      clean[name.slice(1)] ??= meant;
    } else {
      clean[name] = meant;
    }
  }
  return clean;
}

/** A word as a POSIX shell takes it. */
export function shellText(text: string): string {
  return /^[\w./:=@-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** Flags as they are typed, each after a blank: ` --lake DIR --dataset NAME`. */
export function flagsText(flags: readonly (readonly [name: string, value: string])[]): string {
  return flags.map(([name, value]) => ` --${name} ${shellText(value)}`).join('');
}

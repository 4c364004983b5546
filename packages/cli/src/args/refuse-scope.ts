import { EdrlakeError } from '@edrlake/core';
import { configKey, environmentName, type FlagValues } from './options.ts';

/**
 * A filter, or a state, in the settings is a wish to have a part of the events. Comparing knows no parts, and exporting
 * everything instead would cost requests and fill the lake with events outside of the scope.
 * @param who what was asked for
 * @param why it takes all events
 * @throws {EdrlakeError} `CONFIG_INVALID` where the settings select events
 */
export function refuseScope(values: FlagValues, who: string, why: string): void {
  const setting = (['filter', 'state'] as const).find((flag) => values[flag] !== null);
  if (setting === undefined) return;
  throw new EdrlakeError(
    'CONFIG_INVALID',
    `${who}: expected no ${setting}, because ${why}; found "${values[setting]}"`,
    {
      hint: `Remove ${configKey(setting)} from the configuration file and ${environmentName(setting)} from the environment, or name another file with --config. edrlake backfill and edrlake sync take --${setting}.`,
    },
  );
}

/** Where the settings of what runs a task are those of the workers, a flag for it here would do nothing. */
export function refuseForWorkers(typed: ReadonlySet<string>, flags: readonly string[]): void {
  const flag = flags.find((name) => typed.has(name));
  if (flag === undefined) return;
  throw new EdrlakeError('USAGE', `--${flag} is not for --engine temporal`, {
    hint: 'The workers take it from their own settings: start them with it, or write it into their edrlake.config.ts.',
  });
}

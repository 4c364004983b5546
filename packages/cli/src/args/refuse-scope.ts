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

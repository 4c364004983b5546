import { datasetNamed } from '@edrlake/datasets';
import type { ConnectionSettings } from '@edrlake/runner';
import { commandLineLayer, environmentLayer } from '../args/settings.ts';
import { readConfigFile } from '../config/config-file.ts';
import { readCredentials } from '../config/credentials.ts';
import { cleanEnvironment } from '../process/clean-environment.ts';
import { connectionSettings, requireGateway, scopeOf } from '../session/connection-settings.ts';
import { lakeAddress, lakeDirectory, lakeName, objectLakeOf } from '../session/lake-access.ts';
import { settingsOf } from './choose.ts';

/** Whose subscriptions a program works for, as the command finds them. */
export interface ConfiguredBy {
  /** The configuration file; null: that of the working directory, if there is one. */
  readonly config: string | null;
  /** As `--subscription`. */
  readonly choose: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly workingDirectory: string;
}

/** One subscription of a configuration file, as a program uses it. */
export type ConfiguredSubscription = Awaited<ReturnType<typeof configuredSubscriptions>>[number];

/**
 * The chosen subscriptions, in the order of the file, with the settings that a command would have for each.
 * @throws {EdrlakeError} `USAGE` or `CONFIG_INVALID` for what the command refuses, before anything is opened
 */
export async function configuredSubscriptions({ config, choose, env: given, workingDirectory }: ConfiguredBy) {
  const env = cleanEnvironment(given);
  const environment = environmentLayer(env);
  const file = await readConfigFile(workingDirectory, config ?? environment.texts.get('config')?.[0] ?? null);
  const typed = commandLineLayer(new Map([['subscription', choose]]));
  const { chosen } = settingsOf({ typed, environment, file, takesSubscription: true, workingDirectory });
  return (chosen?.subscriptions ?? []).map(({ name, values, account }) => {
    const context = { env, workingDirectory, account };
    const { customerId } = account;
    const { threads, publish } = values;
    const s3 = objectLakeOf(values, context).objects?.s3;
    return {
      name,
      scope: scopeOf(values),
      lake: {
        place: lakeName(values, context),
        options: {
          ...{ dataset: datasetNamed(values.dataset), memoryLimit: values['memory-limit'], writer: values.writer },
          ...{ subscription: { name, ...(customerId !== null && { customerId }) }, publishes: publish },
          ...(threads !== null && { threads }),
          ...(lakeAddress(values) !== null && s3 && { s3, workDirectory: lakeDirectory(values, context) }),
        },
      },
      /** @throws {EdrlakeError} `USAGE` without a gateway, `CREDENTIALS_MISSING` */
      async readSettings(): Promise<ConnectionSettings> {
        requireGateway(values);
        return connectionSettings(values, await readCredentials(env, workingDirectory, account), env);
      },
    };
  });
}

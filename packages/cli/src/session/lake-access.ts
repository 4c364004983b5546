import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  defaultWorkFolder,
  EdrlakeError,
  type Emit,
  flagsText,
  type ObjectAddress,
  objectAddress,
  usableLakePath,
} from '@edrlake/core';
import { DEFAULT_DATASET, datasetNamed } from '@edrlake/datasets';
import type { ObjectLake, S3Settings, WantedOwner } from '@edrlake/lake';
import { type OcsfPlace, ocsfPlace } from '@edrlake/ocsf/names';
import type { CommandInput } from '../args/command.ts';
import { sizeBytes } from '../args/flags/flag-kinds.ts';
import type { FlagValues } from '../args/options.ts';
import type { ProcessContext } from '../process/process-context.ts';
import { programName } from '../process/program-name.ts';
import { readProxy } from '../process/proxy-environment.ts';

/**
 * The absolute path of the lake of the chosen dataset: the folder itself for the one that needs no name, a folder in it
 * for any other, so that all of them fit under one. For a lake in an object store: the folder of this machine's part.
 * @throws {EdrlakeError} `USAGE` for an address that is none, and for a path that DuckDB cannot take
 */
export function lakeDirectory(values: FlagValues, context: Pick<ProcessContext, 'env' | 'workingDirectory'>): string {
  const address = lakeAddress(values);
  const { dataset } = values;
  const { tables } = datasetNamed(dataset);
  if (address !== null) {
    const work = values.work === null ? null : resolve(context.workingDirectory, values.work);
    usableLakePath(address.text, tables);
    return usableLakePath(work ?? defaultWorkFolder(address, context.env, homedir()), tables);
  }
  const folder = resolve(context.workingDirectory, values.lake);
  return usableLakePath(dataset === DEFAULT_DATASET.name ? folder : join(folder, dataset), tables);
}

/** The address of the lake of the chosen dataset, if it is in an object store. @throws {EdrlakeError} `USAGE` */
export function lakeAddress({ lake, dataset }: FlagValues): ObjectAddress | null {
  const address = objectAddress(lake);
  if (address === null || dataset === DEFAULT_DATASET.name) return address;
  return objectAddress(`${address.text}/${dataset}`);
}

/** The lake as a user names it. */
export function lakeName(values: FlagValues, context: Pick<ProcessContext, 'env' | 'workingDirectory'>): string {
  return lakeAddress(values)?.text ?? lakeDirectory(values, context);
}

/** How to reach the object store of the lake, for `openLake`; nothing for a lake on a disk. */
export function objectLakeOf(
  values: FlagValues,
  { env, workingDirectory }: Pick<ProcessContext, 'env' | 'workingDirectory'>,
): { readonly objects?: ObjectLake } {
  const address = lakeAddress(values);
  if (address === null) return {};
  const { reads: way, httpfs } = values;
  const reads = { way, httpfsFile: httpfs === null ? null : resolve(workingDirectory, httpfs) };
  return { objects: { address, s3: s3SettingsOf(values, { env }), cacheBytes: sizeBytes(values.cache), reads } };
}

/**
 * How to reach object stores. What the environment does not say, the client library finds by itself: a profile, single
 * sign-on, a role.
 */
function s3SettingsOf(values: FlagValues, { env }: Pick<ProcessContext, 'env'>): S3Settings {
  const endpoint = env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL;
  const region = env.AWS_REGION || env.AWS_DEFAULT_REGION;
  const {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SESSION_TOKEN: sessionToken,
  } = env;
  const proxy = readProxy(env);
  return {
    ...(endpoint && { endpoint }),
    ...(region && { region }),
    ...(accessKeyId &&
      secretAccessKey && { credentials: { accessKeyId, secretAccessKey, ...(sessionToken && { sessionToken }) } }),
    ...(proxy !== null && { proxy }),
    ...(values.encryption !== null && { encryption: values.encryption }),
  };
}

/** Where `publish ocsf` publishes. @param to as the user names it @throws {EdrlakeError} `USAGE` */
export function ocsfPlaceOf(to: string, values: FlagValues, context: ProcessContext): OcsfPlace {
  const { workingDirectory, env } = context;
  return ocsfPlace(to, { workingDirectory, env, home: homedir(), s3: s3SettingsOf(values, context) });
}

/**
 * ` --subscription NAME --lake DIR --dataset NAME` as far as they were typed, for a command that a user pastes; empty
 * where settings name the lake.
 */
export function lakeFlagsOf({ values, typed, subscription }: Omit<CommandInput, 'positionals' | 'words'>): string {
  const flags = (['lake', 'dataset'] as const).filter((flag) => typed.has(flag));
  const whose = subscription === undefined ? '' : ` --subscription ${subscription.name}`;
  return whose + flagsText(flags.map((flag) => [flag, values[flag]]));
}

/** For whom a lake is opened; null without a subscription. */
export function ownerOf({ account }: Pick<ProcessContext, 'account'>): Omit<WantedOwner, 'tenant'> | null {
  return account === undefined ? null : { subscription: account.name, customerId: account.customerId };
}

/** How to open it: `write` creates it where there is none, `read` changes nothing on disk. */
export function lakeOptions(
  values: FlagValues,
  context: Pick<ProcessContext, 'env' | 'account' | 'workingDirectory'>,
  purpose: 'read' | 'write',
) {
  const owner = ownerOf(context);
  return {
    ...(owner !== null && { owner: { ...owner, tenant: () => null } }),
    ...objectLakeOf(values, context),
    dataset: datasetNamed(values.dataset),
    create: purpose === 'write',
    readOnly: purpose === 'read',
    memoryLimit: values['memory-limit'],
    ...(purpose === 'write' && { publishes: values.publish }),
    ...(values.threads === null ? {} : { threads: values.threads }),
  };
}

/** What a command that reads says, on stderr, about commits that a crash left unfinished. */
export function readerNotes({ stderr, env }: Pick<ProcessContext, 'stderr' | 'env'>): Emit {
  return (event) => {
    if (event.type !== 'unfinished') return;
    stderr.write(
      'edrlake: a process died in the middle of a commit, and this one may not put it right:\n' +
        'patterns over the table folders may show rows twice or in part; views and queries\n' +
        `do not. Run ${programName(env)} status as a user who may write the lake.\n`,
    );
  };
}

/**
 * @throws {EdrlakeError} `LAKE_MISSING` where there is nothing; for what only reads beside the lake and does not open
 * it
 */
export async function requireLake(values: FlagValues, context: ProcessContext): Promise<void> {
  // Of a lake in an object store, this machine may have nothing yet.
  if (lakeAddress(values) !== null) return;
  const directory = lakeDirectory(values, context);
  const isThere = await access(directory).then(
    () => true,
    () => false,
  );
  if (isThere) return;
  throw new EdrlakeError('LAKE_MISSING', `there is no lake at ${directory}`, {
    context: { directory },
    hint: 'Check --lake, or make one with edrlake backfill.',
  });
}

import { resolve } from 'node:path';
import { didYouMean, EdrlakeError, objectAddress } from '@edrlake/core';
import type { Chosen, Settings, Subscription } from '../args/command.ts';
import { wordsText } from '../args/flags/flag-kinds.ts';
import type { FlagName, FlagValues } from '../args/options.ts';
import { configLayer, resolveSettings, type SettingsLayer } from '../args/settings.ts';
import type { ConfigFile } from '../config/config-file.ts';
import type { SubscriptionConfig } from '../config/subscription-schema.ts';

/** Replaced by the name of each subscription in the settings of all. */
const PLACE_OF_NAME = '{subscription}';

/** Settings that it may be in: places. */
const TEMPLATES = ['lake', 'work', 'hunts', 'output', 'to'] as const satisfies readonly FlagName[];

/** Where the lake of a subscription is unless any setting says so. */
const DEFAULT_LAKE = `./lake/${PLACE_OF_NAME}`;

/** The settings of a command line, its environment and its file. */
export interface SettingsSources {
  readonly typed: SettingsLayer;
  readonly environment: SettingsLayer;
  readonly file: ConfigFile | null;
  /** Whether the command takes `--subscription`. */
  readonly takesSubscription: boolean;
  readonly workingDirectory: string;
}

/**
 * The settings of a command, and those of each subscription that it is for. What a subscription says of itself wins
 * over the environment, which is the same for all; what is typed wins over both.
 * @throws {EdrlakeError} `USAGE` or `CONFIG_INVALID` where it is not clear for whom the command works, or two
 * subscriptions would share a lake; nothing has been started then
 */
export function settingsOf(sources: SettingsSources): Settings {
  const { typed, environment, file, takesSubscription } = sources;
  const common = [typed, environment, ...(file === null ? [] : [configLayer(file.values, file.path)])];
  const values = readingFile(resolveSettings(common), file);
  if (!takesSubscription) return { values, chosen: null };
  const known = file?.subscriptions ?? [];
  if (values.subscription.length === 0) {
    refuseNobody(values, typed, known);
    return { values, chosen: null };
  }
  return { values, chosen: chosenOf(values.subscription, known, common, sources) };
}

/** The settings with the file that was read for them, also where it was found and not named. */
function readingFile(values: FlagValues, file: ConfigFile | null): FlagValues {
  return file === null ? values : { ...values, config: file.path };
}

/** Without a choice a command must not work without a subscription, or for one by accident. */
function refuseNobody({ lake }: FlagValues, typed: SettingsLayer, known: readonly SubscriptionConfig[]): void {
  if (lake.includes(PLACE_OF_NAME)) {
    throw new EdrlakeError('USAGE', `the lake is ${lake}, and no subscription is chosen`, {
      hint: `Say for whom: --subscription ${known[0]?.name ?? 'NAME'}, or all.`,
    });
  }
  if (known.length === 0 || typed.texts.has('lake')) return;
  throw new EdrlakeError('USAGE', `expected --subscription, because the configuration file has ${namesText(known)}`, {
    hint: 'Say for whom: --subscription NAME, all, or a pattern such as eu-*. With --lake it is for that lake alone.',
  });
}

function chosenOf(
  patterns: readonly string[],
  known: readonly SubscriptionConfig[],
  common: readonly SettingsLayer[],
  { typed, file, workingDirectory }: SettingsSources,
): Chosen {
  if (file === null || known.length === 0) {
    throw new EdrlakeError('USAGE', `--subscription: expected a configuration file with subscriptions, found none`, {
      hint: 'Write the key subscriptions into edrlake.config.ts, or name its file with --config.',
    });
  }
  const names = new Set(patterns.flatMap((pattern) => matching(pattern, known).map(({ name }) => name)));
  const [, ...others] = common;
  const resolved = (config: SubscriptionConfig, first: readonly SettingsLayer[]): FlagValues => {
    const path = `the subscription ${config.name} of ${file.path}`;
    const layers = [...first, configLayer(config.settings, path), ...others];
    return readingFile(filledIn(resolveSettings(layers), config.name, layers), file);
  };
  const usual = known.map((config) => ({ name: config.name, values: resolved(config, []) }));
  const subscriptions = known
    .filter(({ name }) => names.has(name))
    .map((config): Subscription => {
      const { name, pipeline, customerId } = config;
      const values = resolved(config, [typed]);
      const account = { name, customerId, prefix: variablePrefix(name), configured: config.account };
      return { name, pipeline, values, account };
    });
  const elsewhere = usual.filter(({ name }) => !names.has(name));
  refuseSharedLake([...subscriptions, ...elsewhere], workingDirectory);
  refuseSharedLake(usual, workingDirectory);
  return { subscriptions, isNamed: patterns.length === 1 && known.some(({ name }) => name === patterns[0]) };
}

/** `EDRLAKE_SUBSCRIPTION_ACME_` of `acme`. */
function variablePrefix(name: string): string {
  return `EDRLAKE_SUBSCRIPTION_${name.replaceAll('-', '_').toUpperCase()}_`;
}

/** @throws {EdrlakeError} `USAGE` for a name that is not there, and for a pattern that matches none */
function matching(pattern: string, known: readonly SubscriptionConfig[]): readonly SubscriptionConfig[] {
  if (pattern === 'all') return known;
  const parts = [...pattern].map((letter) => (letter === '*' ? '.*' : letter === '?' ? '.' : letter));
  const found = known.filter(({ name }) => new RegExp(`^${parts.join('')}$`).test(name));
  if (found.length > 0) return found;
  const isPattern = /[*?]/.test(pattern);
  const near = isPattern ? null : didYouMean(pattern, [...known.map(({ name }) => name), 'all']);
  const problem = isPattern ? 'matches no subscription' : 'is no subscription';
  throw new EdrlakeError('USAGE', `--subscription: ${pattern} ${problem} of the configuration file`, {
    hint: `${near === null ? '' : `Did you mean ${near}? `}It has ${namesText(known)}.`,
  });
}

/** The names, of many the first. */
function namesText(known: readonly SubscriptionConfig[]): string {
  const names = known.map(({ name }) => name);
  const shown = names.length > 10 ? [...names.slice(0, 9), `${names.length - 9} more`] : names;
  return wordsText(shown, 'and');
}

/** The settings with the name in its places. */
function filledIn(values: FlagValues, name: string, layers: readonly SettingsLayer[]): FlagValues {
  const hasLake = layers.some(({ texts }) => texts.has('lake'));
  const given = hasLake ? values : { ...values, lake: DEFAULT_LAKE };
  const filled = TEMPLATES.map((flag) => [flag, given[flag]?.replaceAll(PLACE_OF_NAME, name) ?? null]);
  return { ...given, ...Object.fromEntries(filled) };
}

/**
 * Two subscriptions in one lake would mix the events of two customers, and each would find the other's to be missing.
 * @throws {EdrlakeError} `CONFIG_INVALID` naming both
 */
function refuseSharedLake(all: readonly Pick<Subscription, 'name' | 'values'>[], workingDirectory: string): void {
  const owners = new Map<string, string>();
  for (const { name, values } of all) {
    for (const flag of ['lake', 'work'] as const) {
      const given = values[flag];
      if (given === null) continue;
      // Folders of a Mac or of Windows do not tell letters by their case.
      const key = objectAddress(given)?.text ?? resolve(workingDirectory, given).normalize('NFC').toLowerCase();
      const other = owners.get(key);
      owners.set(key, name);
      if (other === undefined || other === name) continue;
      throw new EdrlakeError(
        'CONFIG_INVALID',
        `the subscriptions ${other} and ${name} have the same ${flag}, ${given}`,
        {
          hint: `Give each its own, or all of them one with its name in it: ${flag === 'lake' ? DEFAULT_LAKE : `./work/${PLACE_OF_NAME}`}`,
        },
      );
    }
  }
}

import { EdrlakeError, type ErrorCode } from '@edrlake/core';
import { wordsText } from './flags/flag-kinds.ts';
import { configKey, environmentName, FLAG_NAMES, type FlagName, type FlagValues, flagNamed } from './options.ts';

/** Texts for flags from one place, by flag name. Several texts only where a flag may be repeated. */
export interface SettingsLayer {
  readonly texts: ReadonlyMap<FlagName, readonly string[]>;
  /** How a person calls the setting there: `--page-size`, `EDRLAKE_PAGE_SIZE`, `pageSize in edrlake.config.ts`. */
  nameOf(flag: FlagName): string;
  /** The error code for a value there that cannot be used. */
  readonly errorCode: Extract<ErrorCode, 'USAGE' | 'CONFIG_INVALID'>;
  /**
   * Those of a flag's values that are right there; null for all of them. A setting is for all commands, what is typed
   * is for one.
   */
  choicesOf?(flag: FlagName): readonly string[] | null;
}

/**
 * Settings of one layer that exclude each other; a stronger layer's choice silences the other one of a weaker layer.
 */
const EXCLUSIVE: readonly (readonly [FlagName, FlagName])[] = [['platform', 'base-url']];

/** What was typed on the command line. @param choices by flag, where the command does not take all of its values */
export function commandLineLayer(
  texts: ReadonlyMap<FlagName, readonly string[]>,
  choices: Partial<Readonly<Record<FlagName, { readonly choices?: readonly string[] }>>> = {},
): SettingsLayer {
  const choicesOf = (flag: FlagName) => choices[flag]?.choices ?? null;
  return { texts, nameOf: (flag) => `--${flag}`, errorCode: 'USAGE', choicesOf };
}

/** The `EDRLAKE_…` variables. An empty variable counts as not set. */
export function environmentLayer(env: Readonly<Record<string, string | undefined>>): SettingsLayer {
  const texts = new Map<FlagName, readonly string[]>();
  for (const name of FLAG_NAMES) {
    const text = env[environmentName(name)];
    if (text === undefined || text === '') continue;
    texts.set(name, flagNamed(name).repeats ? text.split(/\s+/).filter((part) => part !== '') : [text]);
  }
  return { texts, nameOf: environmentName, errorCode: 'CONFIG_INVALID' };
}

/** What a configuration file holds, already checked for its keys and their kinds. */
export function configLayer(config: Readonly<Record<string, unknown>>, file: string): SettingsLayer {
  const texts = new Map<FlagName, readonly string[]>();
  for (const name of FLAG_NAMES) {
    const value = config[configKey(name)];
    if (value === undefined || value === null) continue;
    texts.set(name, Array.isArray(value) ? value.map(String) : [String(value)]);
  }
  return { texts, nameOf: (flag) => `${configKey(flag)} in ${file}`, errorCode: 'CONFIG_INVALID' };
}

/**
 * The value of every flag, each from the first layer that has it, else its default.
 * @param layers strongest first
 * @throws {EdrlakeError} `USAGE` or `CONFIG_INVALID` naming the setting where it was given, what was expected and
 * found.
 */
export function resolveSettings(layers: readonly SettingsLayer[]): FlagValues {
  const values: Record<string, unknown> = {};
  for (const name of FLAG_NAMES) {
    values[name] = flagNamed(name).byDefault;
    const layer = layers.find((candidate) => candidate.texts.has(name));
    if (layer !== undefined && !isSilenced(name, layers, layer)) values[name] = readFrom(layer, name);
  }
  return values as FlagValues;
}

function readFrom(layer: SettingsLayer, name: FlagName): unknown {
  const flag = flagNamed(name);
  const texts = layer.texts.get(name) ?? [];
  if (!flag.repeats && texts.length > 1) {
    throw new EdrlakeError(layer.errorCode, `${layer.nameOf(name)}: expected one value, found ${texts.length}`, {
      hint: 'Give it once.',
    });
  }
  const choices = layer.choicesOf?.(name) ?? null;
  const expected = choices === null ? flag.expected : wordsText(choices);
  const values = texts.map((text) => {
    const value = flag.read(text);
    if (value !== null && (choices === null || choices.includes(String(value)))) return value;
    throw new EdrlakeError(layer.errorCode, `${layer.nameOf(name)}: expected ${expected}, found "${text}"`);
  });
  return flag.repeats ? values.flat() : values[0];
}

function isSilenced(name: FlagName, layers: readonly SettingsLayer[], own: SettingsLayer): boolean {
  for (const pair of EXCLUSIVE) {
    if (!pair.includes(name)) continue;
    const other = pair[0] === name ? pair[1] : pair[0];
    const strongest = layers.find((layer) => layer.texts.has(other));
    if (strongest === undefined) continue;
    if (strongest === own) {
      throw new EdrlakeError(own.errorCode, `${own.nameOf(pair[0])} and ${own.nameOf(pair[1])} exclude each other`, {
        hint: 'Give one of the two.',
      });
    }
    if (layers.indexOf(strongest) < layers.indexOf(own)) return true;
  }
  return false;
}

import { didYouMean, EdrlakeError } from '@edrlake/core';
import { z } from 'zod';
import { CREDENTIAL_HINT, CREDENTIAL_KEY } from '../args/credential-names.ts';
import { configKey, FLAG_NAMES, type FlagName, flagNamed } from '../args/options.ts';
import {
  expectedOfSubscription,
  flagSchema,
  nearSubscriptionKey,
  refuseSecrets,
  type SubscriptionConfig,
  subscriptionsOf,
  subscriptionsSchema,
} from './subscription-schema.ts';

/** What is for one command line. */
const NOT_IN_FILE: readonly FlagName[] = ['config', 'subscription'];
const IN_FILE = FLAG_NAMES.filter((name) => !NOT_IN_FILE.includes(name));
const CONFIG_KEYS = [...IN_FILE.map(configKey), 'subscriptions'];

const schema = z.strictObject({
  ...Object.fromEntries(IN_FILE.map((name) => [configKey(name), flagSchema(name)])),
  subscriptions: subscriptionsSchema,
});

/** The content of a configuration file, checked. */
export interface CheckedConfig {
  /** By camelCase flag name. */
  readonly values: Readonly<Record<string, unknown>>;
  readonly subscriptions: readonly SubscriptionConfig[];
}

/**
 * The content of a configuration file, when every key is known and can be used.
 * @throws {EdrlakeError} `CONFIG_INVALID` naming file and key, what was expected and what was found; never the value of
 * a credential.
 */
export function checkConfig(content: unknown, file: string): CheckedConfig {
  if (typeof content === 'object' && content !== null) {
    refuseCredentials(Object.keys(content), file);
    refuseSecrets((content as { readonly subscriptions?: unknown }).subscriptions, file);
  }
  const checked = schema.safeParse(content);
  if (checked.success) {
    const { subscriptions, ...values } = checked.data;
    return { values, subscriptions: subscriptionsOf(subscriptions, file) };
  }
  const problems = checked.error.issues.flatMap((issue) => issueTexts(issue, content));
  const [first = 'it cannot be read', ...rest] = problems;
  const message =
    rest.length === 0 ? `${file}: ${first}` : [`${file}:`, ...problems.map((text) => `  ${text}`)].join('\n');
  throw new EdrlakeError('CONFIG_INVALID', message, {
    hint: 'Keys are the names of the flags in camelCase; edrlake init --force writes a file that names them all.',
  });
}

function refuseCredentials(keys: readonly string[], file: string): void {
  const key = keys.find((candidate) => CREDENTIAL_KEY.test(candidate));
  if (key === undefined) return;
  throw new EdrlakeError(
    'CONFIG_INVALID',
    `${file}: ${key} does not belong into a file that gets copied and committed`,
    {
      hint: `Remove it. ${CREDENTIAL_HINT}`,
    },
  );
}

function issueTexts(issue: z.core.$ZodIssue, content: unknown): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const inEntry = issue.path[0] === 'subscriptions';
      const near = inEntry ? nearSubscriptionKey(key) : didYouMean(key, CONFIG_KEYS);
      return `${pathText([...issue.path, key])} is not a setting${inEntry ? ' of a subscription' : ''}${near === null ? '' : `; did you mean ${near}?`}`;
    });
  }
  if (issue.path.length === 0) return [`expected an object with settings, found ${foundText(content)}`];
  const found = foundText(valueAt(content, issue.path));
  return [`${pathText(issue.path)}: expected ${expectedAt(issue.path)}, found ${found}`];
}

function expectedAt([first, index, key]: readonly PropertyKey[]): string {
  if (first === 'subscriptions') return index === undefined ? 'a list' : expectedOfSubscription(key);
  const name = FLAG_NAMES.find((candidate) => configKey(candidate) === first);
  return name === undefined ? 'something else' : flagNamed(name).expected;
}

/** `subscriptions[1].lake` */
function pathText(path: readonly PropertyKey[]): string {
  const parts = path.map((part) => (typeof part === 'number' ? `[${part}]` : `.${String(part)}`));
  return parts.join('').replace(/^\./, '');
}

function valueAt(content: unknown, path: readonly PropertyKey[]): unknown {
  let value: unknown = content;
  for (const part of path) {
    if (typeof value !== 'object' || value === null) return undefined;
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return value;
}

function foundText(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'string') return `"${value}"`;
  if (Array.isArray(value)) return 'a list';
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`;
}

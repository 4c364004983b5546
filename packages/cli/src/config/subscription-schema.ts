import { didYouMean, EdrlakeError, isSubscriptionName, SUBSCRIPTION_NAME_EXPECTED } from '@edrlake/core';
import { z } from 'zod';
import { GATEWAY, LAKE, PLATFORM } from '../args/option-groups.ts';
import { configKey, type FlagName, flagNamed } from '../args/options.ts';

/** Settings that a subscription may have of its own. */
const OWN_SETTINGS: readonly FlagName[] = [
  ...GATEWAY,
  ...PLATFORM,
  ...LAKE,
  ...(['writer', 'filter', 'state', 'max-reject-share', 'max-requests', 'look-back', 'settle-lag'] as const),
  ...(['axis', 'publish', 'hunts'] as const),
];

const ACCOUNT_KEYS = ['username', 'passwordFile', 'clientId', 'clientSecretFile'] as const;

const SECRET_KEY = /^(login|password|passwd|pass|secret|token|api-?key|client-?secret)$/i;

/** One subscription of the configuration file, checked. */
export interface SubscriptionConfig {
  readonly name: string;
  /** By camelCase flag name. */
  readonly settings: Readonly<Record<string, unknown>>;
  /** Names of the account and paths of its secrets; never a secret. */
  readonly account: Readonly<Partial<Record<(typeof ACCOUNT_KEYS)[number], string>>>;
  /** The pipeline that `run` runs where its command line names none; null for none. */
  readonly pipeline: string | null;
  /** The customer whose events its lake may hold, where the user has said so; null: the lake learns it. */
  readonly customerId: string | null;
}

const text = z.string().refine((value) => value.trim() !== '');

const ownFlags = Object.fromEntries(OWN_SETTINGS.map((name) => [configKey(name), flagSchema(name)]));

const entry = z.strictObject({
  name: z.string().refine(isSubscriptionName),
  pipeline: text.optional(),
  customerId: text.optional(),
  ...Object.fromEntries(ACCOUNT_KEYS.map((key) => [key, text.optional()])),
  ...ownFlags,
});

/** The key `subscriptions`: a list, each with a name and settings of its own. */
export const subscriptionsSchema = z.array(entry).optional();

/** One key of a flag: the kinds of values that can mean it, and the flag's own reader for the rest. */
export function flagSchema(name: FlagName) {
  const flag = flagNamed(name);
  const one = z.union([z.string(), z.number(), z.boolean()]).refine((value) => flag.read(String(value)) !== null);
  return (flag.repeats ? z.array(one) : one).optional();
}

/** What is right at a key of a subscription, in words that follow "expected". */
export function expectedOfSubscription(key: PropertyKey | undefined): string {
  if (key === undefined) return 'an object with a name and settings';
  if (key === 'name') return SUBSCRIPTION_NAME_EXPECTED;
  const flag = OWN_SETTINGS.find((candidate) => configKey(candidate) === key);
  return flag === undefined ? 'a text' : flagNamed(flag).expected;
}

/** ` did you mean …?` for an unknown key of a subscription; null where nothing is near. */
export function nearSubscriptionKey(key: string): string | null {
  return didYouMean(key, ['name', 'pipeline', 'customerId', ...ACCOUNT_KEYS, ...OWN_SETTINGS.map(configKey)]);
}

/**
 * Refuses secrets in the file before anything else is said about it.
 * @throws {EdrlakeError} `CONFIG_INVALID` naming the key, never its value
 */
export function refuseSecrets(content: unknown, file: string): void {
  if (!Array.isArray(content)) return;
  for (const [index, given] of content.entries()) {
    const keys = typeof given === 'object' && given !== null ? Object.keys(given) : [];
    const key = keys.find((candidate) => SECRET_KEY.test(candidate));
    if (key === undefined) continue;
    throw new EdrlakeError(
      'CONFIG_INVALID',
      `${file}: subscriptions[${index}].${key} does not belong into a file that gets copied and committed`,
      {
        hint: 'Remove it. Name a file with passwordFile or clientSecretFile, or set EDRLAKE_SUBSCRIPTION_<NAME>_PASSWORD in the environment.',
      },
    );
  }
}

/**
 * The subscriptions of a checked file.
 * @throws {EdrlakeError} `CONFIG_INVALID` for a name that is there twice
 */
export function subscriptionsOf(checked: z.infer<typeof subscriptionsSchema>, file: string): SubscriptionConfig[] {
  const found = (checked ?? []).map((given) => {
    const { name, pipeline, customerId, ...others } = given as Record<string, unknown> & z.infer<typeof entry>;
    const isAccount = ([key]: [string, unknown]) => ACCOUNT_KEYS.some((each) => each === key);
    const entries = Object.entries(others);
    return {
      name,
      pipeline: pipeline ?? null,
      customerId: customerId ?? null,
      account: Object.fromEntries(entries.filter(isAccount)),
      settings: Object.fromEntries(entries.filter((each) => !isAccount(each))),
    };
  });
  const names = found.map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice === undefined) return found;
  throw new EdrlakeError('CONFIG_INVALID', `${file}: expected each subscription once, found two named ${twice}`, {
    hint: 'Rename one of them: the name is that of its variables and, in a template, of its lake.',
  });
}

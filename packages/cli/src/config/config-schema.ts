import { didYouMean, EdrlakeError } from '@edrlake/core';
import { z } from 'zod';
import { CREDENTIAL_HINT, CREDENTIAL_KEY } from '../args/credential-names.ts';
import { configKey, FLAG_NAMES, type FlagName, flagNamed } from '../args/options.ts';

const NOT_IN_FILE: readonly FlagName[] = ['config'];
const CONFIG_KEYS = FLAG_NAMES.filter((name) => !NOT_IN_FILE.includes(name)).map(configKey);

/** One key: the kinds of values that can mean it, and its flag's own reader for the rest. */
function keySchema(name: FlagName) {
  const flag = flagNamed(name);
  const one = z.union([z.string(), z.number(), z.boolean()]).refine((value) => flag.read(String(value)) !== null);
  return (flag.repeats ? z.array(one) : one).optional();
}

const schema = z.strictObject(
  Object.fromEntries(FLAG_NAMES.filter((name) => !NOT_IN_FILE.includes(name)).map((n) => [configKey(n), keySchema(n)])),
);

/**
 * The content of a configuration file, when every key is known and can be used.
 * @throws {EdrlakeError} `CONFIG_INVALID` naming file and key, what was expected and what was found; never the value of
 * a credential.
 */
export function checkConfig(content: unknown, file: string): Readonly<Record<string, unknown>> {
  if (typeof content === 'object' && content !== null) refuseCredentials(Object.keys(content), file);
  const checked = schema.safeParse(content);
  if (checked.success) return checked.data as Readonly<Record<string, unknown>>;
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
      const near = didYouMean(key, CONFIG_KEYS);
      return `${[...issue.path, key].join('.')} is not a setting${near === null ? '' : `; did you mean ${near}?`}`;
    });
  }
  if (issue.path.length === 0) return [`expected an object with settings, found ${foundText(content)}`];
  const path = issue.path.map((part) => (typeof part === 'number' ? `[${part}]` : String(part))).join('.');
  const name = FLAG_NAMES.find((candidate) => configKey(candidate) === issue.path[0]);
  const expected = name === undefined ? 'something else' : flagNamed(name).expected;
  return [`${path.replaceAll('.[', '[')}: expected ${expected}, found ${foundText(valueAt(content, issue.path))}`];
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

import { didYouMean, EdrlakeError } from '@edrlake/core';
import { isParamValue, PARAM_TYPES } from './params.ts';
import { isPlainObject } from './plain-data.ts';

/** Where in a pipeline something is wrong. */
export interface Place {
  readonly pipeline: string;
  readonly task?: string;
  readonly key?: string;
}

/** Names become journal keys, arguments of the command and parts of messages. */
const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;

const MAX_TRIES = 100;
/** Timers hold no more than this; a wait of that length is a mistake anyway. */
const MAX_WAIT_MS = 2 ** 31 - 1;

type Entries = Readonly<Record<string, unknown>>;
type Check = (value: unknown) => string | null;

/** A `CONFIG_INVALID` error that says where. */
export function invalid(place: Place, problem: string, hint?: string): EdrlakeError {
  const task = place.task === undefined ? '' : `, task "${place.task}"`;
  const key = place.key === undefined ? '' : `, ${place.key}`;
  return new EdrlakeError('CONFIG_INVALID', `pipeline "${place.pipeline}"${task}${key}: ${problem}`, {
    context: { ...place },
    ...(hint === undefined ? {} : { hint }),
  });
}

/**
 * Asserts that all keys of a pipeline are known and hold values of the right kind: pipeline files may be plain JavaScript,
 * which no compiler has read.
 * @throws {EdrlakeError} `CONFIG_INVALID` naming the first key that is wrong.
 */
export function assertShape(pipeline: Entries): void {
  const { name } = pipeline;
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new EdrlakeError('CONFIG_INVALID', `pipeline name: expected ${NAME_RULE}, found ${shown(name)}`);
  }
  const place: Place = { pipeline: name };
  assertEntries(place, '', pipeline, {
    name: text,
    description: text,
    schedule: object,
    priority: (value) => (value === 'high' || value === 'normal' ? null : "'high' or 'normal'"),
    params: object,
    tasks: object,
    hooks: object,
  });
  if (isPlainObject(pipeline.schedule)) {
    assertEntries(place, 'schedule.', pipeline.schedule, { cron: text, timeZone: text }, ['cron', 'timeZone']);
  }
  for (const [param, spec] of entriesOf(pipeline.params)) assertParam(place, param, spec);
  for (const [task, spec] of entriesOf(pipeline.tasks)) assertTask({ ...place, task }, spec);
  assertHooks(place, pipeline.hooks);
}

function assertTask(place: Place, spec: unknown): void {
  assertName(place, 'task', place.task ?? '');
  if (!isPlainObject(spec)) throw invalid(place, `expected an object, found ${shown(spec)}`);
  assertEntries(place, '', spec, {
    uses: text,
    with: (value) => (isPlainObject(value) || typeof value === 'function' ? null : 'an object or a function'),
    run: aFunction,
    needs: (value) =>
      Array.isArray(value) && value.every((need) => typeof need === 'string') ? null : 'a list of tasks',
    retries: object,
    timeoutMs: wholeBetween(1, MAX_WAIT_MS),
    forEach: aFunction,
    concurrency: wholeBetween(1, 1_000),
    when: (value) =>
      ['success', 'always', 'failure'].includes(String(value)) ? null : "'success', 'always' or 'failure'",
  });
  if ((spec.uses === undefined) === (spec.run === undefined)) {
    throw invalid(place, 'expected either uses (a registered task) or run (a function of your own)');
  }
  if (spec.run !== undefined && spec.with !== undefined) {
    throw invalid(
      { ...place, key: 'with' },
      'only a task that uses a registered one takes it',
      'Read the facts that run is given.',
    );
  }
  if (isPlainObject(spec.retries)) {
    const { firstDelayMs, maxDelayMs } = spec.retries;
    const keys = {
      tries: wholeBetween(1, MAX_TRIES),
      firstDelayMs: wholeBetween(0, MAX_WAIT_MS),
      maxDelayMs: wholeBetween(0, MAX_WAIT_MS),
    };
    assertEntries(place, 'retries.', spec.retries, keys, Object.keys(keys));
    if (Number(maxDelayMs) < Number(firstDelayMs)) {
      throw invalid({ ...place, key: 'retries' }, `maxDelayMs ${maxDelayMs} is less than firstDelayMs ${firstDelayMs}`);
    }
  }
}

function assertParam(place: Place, param: string, spec: unknown): void {
  assertName(place, 'parameter', param);
  const key = `params.${param}`;
  if (!isPlainObject(spec)) throw invalid({ ...place, key }, `expected an object, found ${shown(spec)}`);
  const type = PARAM_TYPES.find((known) => known === spec.type);
  assertEntries(
    place,
    `${key}.`,
    spec,
    {
      type: () => (type === undefined ? `one of ${PARAM_TYPES.join(', ')}` : null),
      meaning: text,
      default: (value) =>
        type === undefined || value === null || isParamValue(type, value) ? null : `a ${type} or null`,
    },
    ['type', 'meaning'],
  );
}

function assertHooks(place: Place, hooks: unknown): void {
  if (!isPlainObject(hooks)) return;
  assertEntries(place, 'hooks.', hooks, {
    onSuccess: object,
    onFailure: object,
    onMismatch: object,
    onRejects: object,
  });
  for (const [hook, spec] of entriesOf(hooks)) {
    if (!isPlainObject(spec)) continue;
    assertEntries(
      place,
      `hooks.${hook}.`,
      spec,
      {
        url: (value) => (isWebhookUrl(value) ? null : 'an http or https URL without a user name in it'),
        headers: (value) =>
          isPlainObject(value) && Object.values(value).every((header) => typeof header === 'string')
            ? null
            : 'texts by name',
        timeoutMs: wholeBetween(1, 600_000),
        tries: wholeBetween(1, 10),
      },
      ['url'],
      // Either may carry a token.
      ['url', 'headers'],
    );
  }
}

function assertEntries(
  place: Place,
  prefix: string,
  entries: Entries,
  checks: Readonly<Record<string, Check>>,
  required: readonly string[] = [],
  unspoken: readonly string[] = [],
): void {
  const known = Object.keys(checks);
  for (const [key, value] of Object.entries(entries)) {
    const check = Object.hasOwn(checks, key) ? checks[key] : undefined;
    const at = { ...place, key: `${prefix}${key}` };
    if (check === undefined) {
      const close = didYouMean(key, known);
      throw invalid(
        at,
        'there is no such key',
        close === null ? `Known: ${known.join(', ')}.` : `Did you mean ${close}?`,
      );
    }
    const expected = value === undefined ? null : check(value);
    if (expected === null) continue;
    throw invalid(at, `expected ${expected}${unspoken.includes(key) ? '' : `, found ${shown(value)}`}`);
  }
  const missing = required.find((key) => entries[key] === undefined);
  if (missing !== undefined) throw invalid({ ...place, key: `${prefix}${missing}` }, 'it is missing');
}

const NAME_RULE = 'a letter, then at most 63 letters, digits, dashes or underscores';

function assertName(place: Place, what: string, name: string): void {
  if (NAME.test(name)) return;
  throw invalid({ pipeline: place.pipeline }, `the ${what} name ${shown(name)}: expected ${NAME_RULE}`);
}

const text: Check = (value) => (typeof value === 'string' ? null : 'text');
const object: Check = (value) => (isPlainObject(value) ? null : 'an object');
const aFunction: Check = (value) => (typeof value === 'function' ? null : 'a function');

function wholeBetween(least: number, most: number): Check {
  return (value) =>
    Number.isSafeInteger(value) && Number(value) >= least && Number(value) <= most
      ? null
      : `a whole number from ${least} to ${most}`;
}

function isWebhookUrl(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false;
  const { protocol, username, password } = new URL(value);
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '';
}

function entriesOf(value: unknown): [string, unknown][] {
  return isPlainObject(value) ? Object.entries(value) : [];
}

function shown(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  const json = JSON.stringify(value) ?? 'nothing';
  return json.length > 60 ? `${json.slice(0, 57)}…` : json;
}

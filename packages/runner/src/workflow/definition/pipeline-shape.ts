import { didYouMean, EdrlakeError } from '@edrlake/core';
import { Cron } from 'croner';
import { z } from 'zod';
import { isPlainObject, type ScheduleSpec } from './define-pipeline.ts';
import { isParamValue, PARAM_TYPES } from './params.ts';

// The keys of a pipeline and the values that each may have; at the end, the due times of a schedule.

/** The place of an error in a pipeline. */
export interface Place {
  readonly pipeline: string;
  readonly task?: string;
  readonly key?: string;
}

/** A `CONFIG_INVALID` error that says where. */
export function invalid(place: Place, problem: string, hint?: string): EdrlakeError {
  const task = place.task === undefined ? '' : `, task "${place.task}"`;
  const key = place.key === undefined ? '' : `, ${place.key}`;
  return new EdrlakeError('CONFIG_INVALID', `pipeline "${place.pipeline}"${task}${key}: ${problem}`, {
    context: { ...place },
    ...(hint === undefined ? {} : { hint }),
  });
}

// A schema's message is what was expected; `assertShape` adds where it was expected and what was found.

/** Names become journal keys, arguments of the command and parts of messages. */
const NAME = /^[A-Za-z][A-Za-z0-9_-]{0,63}$/;
const NAME_RULE = 'a letter, then at most 63 letters, digits, dashes or underscores';

/** The longest wait of a timer; a longer wait is a mistake in any case. */
const MAX_WAIT_MS = 2 ** 31 - 1;

const text = z.string('text');
const object = z.custom<Readonly<Record<string, unknown>>>(isPlainObject, 'an object');
const aFunction = z.custom((value) => typeof value === 'function', 'a function');

function whole(least: number, most: number) {
  const rule = `a whole number from ${least} to ${most}`;
  return z.int(rule).min(least, rule).max(most, rule);
}

function oneOf(...values: readonly string[]) {
  const quoted = values.map((value) => `'${value}'`);
  return z.enum(values, `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`);
}

const SCHEDULE = z.strictObject({ cron: text, timeZone: text });

const RETRIES = z
  .strictObject({ attempts: whole(1, 100), firstDelayMs: whole(0, MAX_WAIT_MS), maxDelayMs: whole(0, MAX_WAIT_MS) })
  .superRefine(({ firstDelayMs, maxDelayMs }, context) => {
    if (maxDelayMs >= firstDelayMs) return;
    context.addIssue(rule(`maxDelayMs ${maxDelayMs} is less than firstDelayMs ${firstDelayMs}`));
  });

const TASK = z
  .strictObject({
    uses: text.optional(),
    with: z
      .custom((value) => isPlainObject(value) || typeof value === 'function', 'an object or a function')
      .optional(),
    run: aFunction.optional(),
    needs: z
      .custom((value) => Array.isArray(value) && value.every((need) => typeof need === 'string'), 'a list of tasks')
      .optional(),
    retries: object.pipe(RETRIES).optional(),
    timeoutMs: whole(1, MAX_WAIT_MS).optional(),
    forEach: aFunction.optional(),
    concurrency: whole(1, 1_000).optional(),
    when: oneOf('success', 'always', 'failure').optional(),
  })
  .superRefine(({ uses, run, with: given }, context) => {
    if ((uses === undefined) === (run === undefined)) {
      context.addIssue(rule('expected either uses (a registered task) or run (a function of your own)'));
    } else if (run !== undefined && given !== undefined) {
      const hint = 'Read the facts that run is given.';
      context.addIssue({ ...rule('only a task that uses a registered one takes it', hint), path: ['with'] });
    }
  });

const PARAM = z
  .strictObject({
    type: z.enum(PARAM_TYPES, `one of ${PARAM_TYPES.join(', ')}`),
    meaning: text,
    default: z.unknown().optional(),
  })
  .superRefine(({ type, default: value }, context) => {
    if (value === undefined || value === null || isParamValue(type, value)) return;
    context.addIssue({ code: 'custom', message: `a ${type} or null`, path: ['default'] });
  });

/** Values of these keys are not quoted, because they may contain a token. */
const UNQUOTED: ReadonlySet<PropertyKey> = new Set(['url', 'headers']);

const HEADERS = z
  .custom<Readonly<Record<string, string>>>(
    (value) => isPlainObject(value) && Object.values(value).every((header) => typeof header === 'string'),
    'texts by name',
  )
  // Else an alert would fail when it is needed: what HTTP cannot send is refused before a night begins.
  .superRefine((headers, context) => {
    for (const [name, value] of Object.entries(headers)) {
      const message = headerProblem(name, value);
      if (message !== null) context.addIssue({ code: 'custom', message, path: [name] });
    }
  });
const WEBHOOK = z.strictObject({
  url: z.custom(isWebhookUrl, 'an http or https URL without a user name in it'),
  headers: HEADERS.optional(),
  timeoutMs: whole(1, 600_000).optional(),
  attempts: whole(1, 10).optional(),
});
const HOOK = object.pipe(WEBHOOK).optional();
const HOOKS = z.strictObject({
  ...{ onSuccess: HOOK, onFailure: HOOK, onMismatch: HOOK, onRejects: HOOK },
  ...{ onMatch: HOOK, onQuiet: HOOK },
});

const PIPELINE = z.strictObject({
  name: text,
  description: text.optional(),
  schedule: object.pipe(SCHEDULE).optional(),
  priority: oneOf('high', 'normal').optional(),
  params: z.record(z.string(), object.pipe(PARAM), 'an object').optional(),
  tasks: z.record(z.string(), object.pipe(TASK), 'an object'),
  hooks: object.pipe(HOOKS).optional(),
});

/** An issue whose message is the whole problem, not what was expected at a place. */
function rule(problem: string, hint?: string) {
  return { code: 'custom', message: problem, params: { isWhole: true, hint } } as const;
}

/**
 * Asserts that all keys of a pipeline are known and have values of the right type: pipeline files may be plain
 * JavaScript, which no compiler has checked.
 * @throws {EdrlakeError} `CONFIG_INVALID` naming the first key that is wrong.
 */
export function assertShape(pipeline: Readonly<Record<string, unknown>>): void {
  const { name } = pipeline;
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new EdrlakeError('CONFIG_INVALID', `pipeline name: expected ${NAME_RULE}, found ${shown(name)}`);
  }
  for (const what of ['parameter', 'task'] as const) {
    const named = what === 'task' ? pipeline.tasks : pipeline.params;
    const bad = Object.keys(isPlainObject(named) ? named : {}).find((key) => !NAME.test(key));
    if (bad !== undefined) throw invalid({ pipeline: name }, `the ${what} name ${shown(bad)}: expected ${NAME_RULE}`);
  }
  const [issue] = PIPELINE.safeParse(pipeline).error?.issues ?? [];
  if (issue !== undefined) throw problemAt(name, pipeline, issue);
}

function problemAt(name: string, pipeline: unknown, issue: z.core.$ZodIssue): EdrlakeError {
  const path = issue.code === 'unrecognized_keys' ? [...issue.path, issue.keys[0] ?? ''] : issue.path;
  const [task, rest] = path[0] === 'tasks' && path.length > 1 ? [String(path[1]), path.slice(2)] : [undefined, path];
  const place = {
    pipeline: name,
    ...(task !== undefined && { task }),
    ...(rest.length > 0 && { key: rest.map(String).join('.') }),
  };
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(issue.path);
    const close = didYouMean(String(path.at(-1)), known);
    const hint = close === null ? `Known: ${known.join(', ')}.` : `Did you mean ${close}?`;
    return invalid(place, 'there is no such key', hint);
  }
  if (issue.code === 'custom' && issue.params?.isWhole === true) {
    return invalid(place, issue.message, issue.params.hint as string | undefined);
  }
  const found = valueAt(pipeline, path);
  if (found === undefined) return invalid(place, 'it is missing');
  const quoted = path.some((key) => UNQUOTED.has(key)) ? '' : `, found ${shown(found)}`;
  return invalid(place, `expected ${issue.message}${quoted}`);
}

/** The keys of the object at a path. */
function knownKeys([first, second, third]: readonly PropertyKey[]): string[] {
  const { shape } =
    {
      hooks: second === undefined ? HOOKS : WEBHOOK,
      params: PARAM,
      schedule: SCHEDULE,
      tasks: third === 'retries' ? RETRIES : TASK,
    }[String(first)] ?? PIPELINE;
  return Object.keys(shape);
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((inner, key) => (isPlainObject(inner) ? inner[String(key)] : undefined), value);
}

/** Headers of the connection, which no request may set. */
const OF_CONNECTION = /^(?:connection|content-length|expect|keep-alive|transfer-encoding|upgrade)$/i;

/** What a header must be, where it is not; null where HTTP can send it. */
function headerProblem(name: string, value: string): string | null {
  const closes = /^connection$/i.test(name) && /^(?:close|keep-alive)$/i.test(value);
  if (OF_CONNECTION.test(name) && !closes) return 'no header that the connection sets itself';
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) return 'a name of letters, digits and hyphens';
  return /^[\t\x20-\x7e\x80-\xff]*$/.test(value) ? null : 'a text of one line, of characters that HTTP can send';
}

function isWebhookUrl(value: unknown): boolean {
  if (typeof value !== 'string' || !URL.canParse(value)) return false;
  const { protocol, username, password } = new URL(value);
  return (protocol === 'https:' || protocol === 'http:') && username === '' && password === '';
}

function shown(value: unknown): string {
  if (typeof value === 'function') return 'a function';
  const json = JSON.stringify(value) ?? 'nothing';
  return json.length > 60 ? `${json.slice(0, 57)}…` : json;
}

/** The due times of a schedule. */
export interface CronTimes {
  /** The first due time after the instant, or null if there is none. */
  nextAfter(instantMs: number): number | null;
  /** The last due time up to and including the instant, or null if there was none. */
  lastUntil(instantMs: number): number | null;
}

/**
 * The due times of a schedule. When clocks go forward, a fixed time that does not exist is due at the end of the gap.
 * When they go back, a fixed time that occurs twice is due the first time only; repeating patterns count every real
 * hour.
 * @throws {EdrlakeError} `CONFIG_INVALID` for a cron line or a time zone that cannot be read, or a cron line that is
 * never due.
 */
export function cronTimes({ cron, timeZone }: ScheduleSpec): CronTimes {
  assertTimeZone(timeZone);
  const job = parseCron(cron, timeZone);
  const times: CronTimes = {
    nextAfter: (instantMs) => job.nextRun(new Date(instantMs))?.getTime() ?? null,
    // The previous time that croner returns excludes the instant itself.
    lastUntil: (instantMs) => job.previousRuns(1, new Date(instantMs + 1))[0]?.getTime() ?? null,
  };
  if (times.nextAfter(0) === null) {
    throw new EdrlakeError('CONFIG_INVALID', `the cron line "${cron}" names a date that never comes`);
  }
  return times;
}

function parseCron(cron: string, timeZone: string): Cron {
  try {
    // Paused and without a function: it computes times and starts no timer.
    return new Cron(cron, { timezone: timeZone, paused: true, mode: '5-part', fixedTimeRule: 'no-wildcard' });
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message.replace(/^CronPattern: /, '') : String(cause);
    throw new EdrlakeError('CONFIG_INVALID', `the cron line "${cron}" cannot be read: ${reason}`, {
      cause,
      hint: 'Write minute, hour, day of month, month and day of week, for example "30 2 * * *" for 02:30 every day.',
    });
  }
}

function assertTimeZone(timeZone: string): void {
  try {
    new Intl.DateTimeFormat('en', { timeZone });
  } catch (cause) {
    const close = didYouMean(timeZone, ['UTC', ...Intl.supportedValuesOf('timeZone')]);
    throw new EdrlakeError('CONFIG_INVALID', `there is no time zone "${timeZone}"`, {
      cause,
      hint: `${close === null ? '' : `Did you mean ${close}? `}Use an IANA name such as Europe/Berlin, or UTC.`,
    });
  }
}

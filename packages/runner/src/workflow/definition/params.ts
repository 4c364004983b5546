import { type Day, didYouMean, EdrlakeError } from '@edrlake/core';
import { z } from 'zod';

/**
 * A parameter of a pipeline, given as `--param name=value`. Without a default it must be given; a default of null makes
 * it optional. A `day` is `YYYY-MM-DD`, UTC.
 */
export type ParamSpec =
  | { readonly type: 'day'; readonly meaning: string; readonly default?: Day | null }
  | { readonly type: 'text'; readonly meaning: string; readonly default?: string | null }
  | { readonly type: 'number'; readonly meaning: string; readonly default?: number | null }
  | { readonly type: 'boolean'; readonly meaning: string; readonly default?: boolean | null };

/** The value of a parameter; null where an optional one is not given. */
export type ParamValue = string | number | boolean | null;

/** Declared parameters by name. */
export type ParamSpecs = Readonly<Record<string, ParamSpec>>;

/** The values that belong to declared parameters. */
export type ParamValues<P> = {
  readonly [K in keyof P]: GivenValue<P[K]> | (P[K] extends { default: null } ? null : never);
};

/** The type of a parameter's value. A day is text, `2020-08-17`. */
type GivenValue<Spec> = Spec extends { type: 'number' } ? number : Spec extends { type: 'boolean' } ? boolean : string;

/** The types a parameter can have. */
export const PARAM_TYPES = ['day', 'text', 'number', 'boolean'] as const;

/**
 * Typed values of `--param` assignments, `name=value` each; defaults are not filled in.
 * @throws {EdrlakeError} `USAGE` naming the parameter: unknown, given twice, without `=`, or not of its type.
 */
export function parseParams(specs: ParamSpecs, assignments: readonly string[]): Record<string, ParamValue> {
  const values: Record<string, ParamValue> = {};
  for (const assignment of assignments) {
    const equals = assignment.indexOf('=');
    if (equals <= 0) {
      throw new EdrlakeError('USAGE', `--param: expected name=value, found "${assignment}"`);
    }
    const name = assignment.slice(0, equals);
    const text = assignment.slice(equals + 1);
    const spec = specOf(specs, name);
    if (Object.hasOwn(values, name)) throw new EdrlakeError('USAGE', `--param ${name} is given twice`);
    values[name] = checked(name, spec, readText(spec.type, text), text);
  }
  return values;
}

/**
 * All values of a run: the given ones, checked against the declarations, and defaults for the rest.
 * @throws {EdrlakeError} `USAGE` naming the parameter: unknown, missing, or not of its type.
 */
export function resolveParams(
  specs: ParamSpecs,
  given: Readonly<Record<string, unknown>>,
): Readonly<Record<string, ParamValue>> {
  for (const name of Object.keys(given)) specOf(specs, name);
  const values: Record<string, ParamValue> = {};
  for (const [name, spec] of Object.entries(specs)) {
    const value = Object.hasOwn(given, name) ? given[name] : spec.default;
    if (value === undefined) {
      throw new EdrlakeError('USAGE', `the parameter ${name} (${spec.meaning}) is not given`, {
        hint: `Add --param ${name}=${EXAMPLES[spec.type]}.`,
      });
    }
    values[name] = value === null && spec.default === null ? null : checked(name, spec, value, String(value));
  }
  return Object.freeze(values);
}

const VALUES = { day: z.iso.date(), text: z.string(), number: z.number(), boolean: z.boolean() } as const;

/** Whether a parameter of this type can have the value; null is never one. */
export function isParamValue(type: ParamSpec['type'], value: unknown): value is ParamValue {
  return VALUES[type].safeParse(value).success;
}

const EXAMPLES = { day: '2026-11-21', text: 'text', number: '7', boolean: 'true' } as const;

const EXPECTATIONS = {
  day: 'a day, YYYY-MM-DD',
  text: 'text',
  number: 'a number',
  boolean: 'true or false',
} as const;

function specOf(specs: ParamSpecs, name: string): ParamSpec {
  const spec = Object.hasOwn(specs, name) ? specs[name] : undefined;
  if (spec !== undefined) return spec;
  const names = Object.keys(specs);
  const close = didYouMean(name, names);
  const known = names.length === 0 ? 'The pipeline has no parameters.' : `Its parameters: ${names.join(', ')}.`;
  throw new EdrlakeError('USAGE', `the pipeline has no parameter "${name}"`, {
    hint: close === null ? known : `Did you mean ${close}? ${known}`,
  });
}

function checked(name: string, spec: ParamSpec, value: unknown, found: string): ParamValue {
  if (isParamValue(spec.type, value)) return value;
  throw new EdrlakeError('USAGE', `the parameter ${name}: expected ${EXPECTATIONS[spec.type]}, found "${found}"`, {
    hint: `Give it as --param ${name}=${EXAMPLES[spec.type]}.`,
  });
}

function readText(type: ParamSpec['type'], text: string): ParamValue {
  if (type === 'number') return text.trim() === '' ? Number.NaN : Number(text);
  if (type === 'boolean') return text === 'true' ? true : text === 'false' ? false : text;
  return text;
}

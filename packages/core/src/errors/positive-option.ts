import { EdrlakeError } from './errors.ts';

/** An option that has to be a whole number above 0. @throws {EdrlakeError} `CONFIG_INVALID` naming the option */
export function positiveOption(name: string, value: number): number {
  if (Number.isSafeInteger(value) && value > 0) return value;
  throw new EdrlakeError('CONFIG_INVALID', `${name}: expected a whole number above 0, found ${value}`, {
    hint: 'Correct it, or leave it out for the default.',
  });
}

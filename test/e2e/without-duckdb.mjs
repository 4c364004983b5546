// Loaded by `node --import` before the command: makes every attempt to load DuckDB fail, as on a machine for which it
// has no binaries.
import Module, { register } from 'node:module';

const REFUSES = `
export async function resolve(specifier, context, next) {
  if (specifier.startsWith('@duckdb/')) throw new Error('no binaries of ' + specifier + ' for this machine');
  return next(specifier, context);
}`;
register(`data:text/javascript,${encodeURIComponent(REFUSES)}`);

const { _load: load } = Module;
Module._load = (name, ...rest) => {
  if (name.startsWith('@duckdb/') || name.endsWith('duckdb.node')) throw new Error(`no binaries of ${name}`);
  return load(name, ...rest);
};

import { existsSync, statSync, truncateSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Disk } from './disk.ts';
import { DuckDbPool, type Native } from './duckdb-pool.ts';
import type { Scheduler } from './scheduler.ts';
import { currentProcess, type SimulatedProcess } from './simulated-process.ts';

/** The parts of the world that DuckDB's calls need. */
export interface DuckDbWorld {
  readonly scheduler: Scheduler;
  readonly disk: Disk;
}

/** The functions of DuckDB's library that work on another thread. */
const ASYNCHRONOUS = [
  'open',
  'connect',
  'query',
  'prepare',
  'execute_prepared',
  'execute_prepared_streaming',
  'extract_statements',
  'prepare_extracted_statement',
  'execute_pending',
  'fetch_chunk',
] as const;

const require = createRequire(import.meta.url);

/**
 * Puts a layer between DuckDB's client and its library: each call begins at its turn, and nothing else happens in the
 * world until it has ended. Called before the client is loaded.
 */
export function simulateDuckDb(world: () => DuckDbWorld): void {
  const client = createRequire(require.resolve('@duckdb/node-api'));
  const path = client.resolve('@duckdb/node-bindings');
  const native = client(path) as Native;
  const pool = new DuckDbPool(native);
  const layer: Record<string, unknown> = {};
  for (const name of Object.getOwnPropertyNames(native)) layer[name] = native[name];
  const open = new Map<unknown, () => void>();
  for (const name of ASYNCHRONOUS) {
    const call = native[name] as Native[string];
    layer[name] = (...given: unknown[]) => {
      const owner = currentProcess();
      if (owner === null) return call(...given);
      const perform = async () => {
        if (name === 'open')
          return track(owner, await pool.open(given[0], given[1] as object), (made) => pool.close(made));
        const [first, second, ...more] = given;
        const made = await call(first, typeof second === 'string' ? pool.statement(second) : second, ...more);
        if (name === 'connect') {
          pool.connected(made, given[0]);
          track(owner, made, (connection) => pool.disconnect(connection));
        }
        if (typeof second === 'string') pool.executed(first, second);
        return made;
      };
      const { scheduler, disk } = world();
      const { text, target } = statementOf(name, given, disk);
      return scheduler.task({
        owner,
        kind: 'duckdb',
        label: `duckdb ${name} ${text}`,
        perform,
        half: async () => {
          await perform();
          if (target !== null && existsSync(target)) truncateSync(target, statSync(target).size >> 1);
        },
      });
    };
  }
  const track = (owner: SimulatedProcess, made: unknown, end: (made: unknown) => void) => {
    open.set(made, () => {
      open.delete(made);
      end(made);
    });
    // Connections are younger than their database, and are closed first.
    owner.atEnd.unshift(() => open.get(made)?.());
    return made;
  };
  layer.set_config = (config: object, name: string, value: string) => {
    pool.configured(config, name, value);
    return native.set_config?.(config, name, value);
  };
  for (const name of ['close_sync', 'disconnect_sync'] as const) {
    layer[name] = (made: unknown) => {
      const end = open.get(made);
      if (end === undefined) native[name]?.(made);
      else end();
    };
  }
  layer.interrupt = (connection: unknown) => {
    const owner = currentProcess();
    if (owner === null) native.interrupt?.(connection);
    else world().scheduler.reject(owner, ({ kind }) => kind === 'duckdb', interrupted());
  };
  const loaded = require.cache[path] ?? client.cache[path];
  if (loaded === undefined) throw new Error(`${path} was not loaded`);
  loaded.exports = layer;
}

function interrupted(): Error {
  return new Error('INTERRUPT Error: Interrupted!');
}

/** The first words of a long statement, and the file that it writes. */
function statementOf(name: string, given: readonly unknown[], disk: Disk): { text: string; target: string | null } {
  const statement = name === 'open' ? given[0] : given[1];
  if (typeof statement !== 'string') return { text: '', target: null };
  const target = /\bCOPY\b.* TO '([^']*)'/s.exec(statement)?.[1] ?? null;
  // The number in the name counts the attached databases of all worlds of this run.
  const words = statement
    .replaceAll(disk.root, '')
    .replaceAll(/(lake_views_)\d+/g, '$1n')
    .replaceAll(/\s+/g, ' ')
    .trim()
    .slice(0, 60);
  return { text: target === null ? words : `${words} … ${target.replace(disk.root, '')}`, target };
}

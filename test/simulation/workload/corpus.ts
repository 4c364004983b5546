import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PromiseName } from '../checkers/promise-broken.ts';
import type { WorldPlan } from './steps.ts';

/**
 * A world in which a promise was broken once. The whole plan is stored, so that it stays the same when planning
 * changes.
 */
export interface KeptWorld {
  /** The bug, and where it was. */
  readonly bug: string;
  readonly promise: PromiseName;
  readonly seed: number;
  readonly plan: WorldPlan;
}

/** The folder of kept worlds: next to the sources, from which this file was built into another folder. */
const FOLDER = fileURLToPath(new URL('../../corpus/', import.meta.url));

/** All kept worlds by name, in the order of their names. */
export function readCorpus(): ReadonlyMap<string, KeptWorld> {
  mkdirSync(FOLDER, { recursive: true });
  const names = readdirSync(FOLDER).filter((name) => name.endsWith('.json'));
  return new Map(
    names
      .sort()
      .map((name) => [basename(name, '.json'), JSON.parse(readFileSync(join(FOLDER, name), 'utf8')) as KeptWorld]),
  );
}

/** Keeps a world. */
export function keepWorld(name: string, world: KeptWorld): void {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, `${name}.json`), `${JSON.stringify(world, null, 2)}\n`);
}

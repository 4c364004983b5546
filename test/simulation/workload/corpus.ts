import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { PromiseName } from '../checkers/promise-broken.ts';
import type { WorldPlan } from './steps.ts';

/** A world in which a promise broke once. The whole plan is kept, so that it stays what it was when plans change. */
export interface KeptWorld {
  /** What was wrong, and in what. */
  readonly bug: string;
  readonly promise: PromiseName;
  readonly seed: number;
  readonly plan: WorldPlan;
}

/** Where kept worlds are: beside the sources, from which this file was built into a folder of its own. */
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

import { type Dataset, type Random, seededRandom } from '@edrlake/core';
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Bench } from '../../packages/flattener/test/staging.ts';
import { expectSameRows, fitting, type Member, membersOf, ODD, objectText } from './dataset-specs.ts';

// Random documents of a dataset, as its API could deliver them, in large numbers: fast-check draws a supply of values
// for each member once, and documents are put together from it.

/** Values drawn for each member. */
const SUPPLY = 60;

/** Makes a document of its number; ids are distinct. */
type Compose = (n: number) => string;

/** A supply of values, and one of them at random. */
function supply(values: fc.Arbitrary<string>, seed: number, random: Random): () => string {
  const drawn = fc.sample(values, { numRuns: SUPPLY, seed });
  return () => drawn[Math.floor(random() * drawn.length)] ?? 'null';
}

/** Half of the documents fit their columns, the others have one to a few values that do not. */
function documentsOf(dataset: Dataset, seed: number): Compose {
  const random = seededRandom(seed);
  const chance = (share: number) => random() < share;
  const pick = <T>(items: readonly T[]): T | undefined => items[Math.floor(random() * items.length)];
  const odd = supply(ODD, seed, random);
  const sources = (members: readonly Member[]) => {
    // Several columns may be made of one member.
    const once = new Map(members.map((member) => [member.path, member]));
    return [...once.values()].map(({ path, column }) => ({ path, fits: supply(fitting(column.type), seed, random) }));
  };
  const [events, ...others] = dataset.tables;
  const own = (name: string) => events?.columns.find((column) => column.name === name)?.paths ?? [];
  const [time = '', id = ''] = [own('event_time')[0], own('event_id')[0]];
  const leading = new Set([...own('event_time'), ...own('event_id')]);
  const fields = sources(membersOf(events?.columns ?? [])).filter(({ path }) => !leading.has(path));
  const arrays = others.flatMap(({ arrays: paths, columns }) =>
    (paths ?? []).map((path) => ({ path, fields: sources(membersOf(columns)) })),
  );
  const times = supply(fitting('timestamp'), seed, random);
  const unknownPlaces = ['', ...new Set(fields.flatMap(({ path }) => path.match(/^.*\./) ?? []))];
  const sections = new Set(fields.flatMap(({ path }) => (path.includes('.') ? [path.split('.')[0] ?? ''] : [])));

  const valuesOf = (of: typeof fields, presence: number, oddShare: number): [string, string][] =>
    of.flatMap(({ path, fits }) => (chance(presence) ? [[path, chance(oddShare) ? odd() : fits()]] : []));
  const element = (of: typeof fields, oddShare: number): string => {
    if (chance(oddShare)) return odd();
    const values = valuesOf(of, 0.7, oddShare);
    return objectText(chance(oddShare) ? [...values, ['unknownInside', odd()]] : values);
  };
  return (n) => {
    const oddShare = chance(0.5) ? 0 : pick([0.02, 0.05, 0.3]);
    const share = oddShare ?? 0;
    let all: [string, string][] = valuesOf(fields, pick([0.2, 0.6, 0.95]) ?? 1, share);
    for (const { path, fields: of } of arrays) {
      if (!chance(0.4)) continue;
      const elements = Array.from({ length: Math.floor(random() * 4) }, () => element(of, share));
      all.push([path, chance(share) ? (elements[0] ?? odd()) : `[${elements.join(pick([',', ' , ']))}]`]);
    }
    if (chance(share)) all.push([`${pick(unknownPlaces)}brandNew`, odd()]);
    const broken = pick([...sections]);
    if (chance(share) && broken !== undefined) {
      all = [...all.filter(([path]) => !path.startsWith(`${broken}.`)), [broken, odd()]];
    }
    all.push([time, chance(share) ? odd() : times()]);
    // Two records with one id would be one row in DuckDB, which compares them.
    all.push([id, chance(share / 4) ? 'null' : `"r${n}"`]);
    const record = objectText(all);
    if (dataset.wrapperMembers.length === 0 || chance(0.3)) return record;
    return `{"${dataset.wrapperMembers[0]}":[${n},"x"],"data":${record}}`;
  };
}

/** Compares both executors over random documents of a dataset, in batches of at most `batchOf`. */
export async function checkDocuments(
  bench: Bench,
  dataset: Dataset,
  about: { readonly documents: number; readonly batchOf: number; readonly seed: number },
): Promise<void> {
  const { documents, batchOf, seed } = about;
  const compose = documentsOf(dataset, seed);
  let irregular = 0;
  for (let first = 0; first < documents; first += batchOf) {
    const size = Math.min(batchOf, documents - first);
    const batch = Array.from({ length: size }, (_, at) => compose(first + at));
    irregular += await expectSameRows(bench, dataset, batch).catch((thrown: unknown) => {
      throw new Error(`documents ${first} to ${first + size - 1} of seed ${seed}`, { cause: thrown });
    });
  }
  // Both kinds of SQL have been used.
  expect(irregular / documents).toBeGreaterThan(0.1);
  expect(irregular / documents).toBeLessThan(0.9);
}

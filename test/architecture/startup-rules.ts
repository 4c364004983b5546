import { posix } from 'node:path';
import type { Package } from './repository.ts';
import type { Import, Source } from './source.ts';

/** What is loaded before the first line of a file runs. */
export interface LoadedAtOnce {
  /** The repository's own files, sorted. */
  readonly files: readonly string[];
  /** Packages of others, sorted, each with one of the files that import it. */
  readonly foreign: readonly string[];
}

/** Follows imports of values from a file on. What is loaded later, by `import()`, does not count. */
export function loadedAtOnce(packages: readonly Package[], entry: string): LoadedAtOnce {
  const sources = new Map(packages.flatMap((pkg) => pkg.sources).map((source) => [source.path, source]));
  const doors = new Map(packages.flatMap(doorsOf));
  const files = new Set<string>();
  const foreign = new Map<string, string>();
  const waiting = [entry];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const source = sources.get(path);
    if (files.has(path) || source === undefined) continue;
    files.add(path);
    for (const item of source.imports.filter(isLoadedWithIt)) {
      const target = targetOf(source, item, doors);
      if (target !== null) waiting.push(target);
      else if (!item.specifier.startsWith('node:')) foreign.set(item.specifier, path);
    }
  }
  return {
    files: [...files].sort(),
    foreign: [...foreign].map(([name, path]) => `${name} by ${path}`).sort(),
  };
}

/** The compiler drops an import of which nothing exists at run time. */
function isLoadedWithIt(item: Import): boolean {
  return !item.isDynamic && !item.isTypeOnly;
}

function targetOf(source: Source, { specifier }: Import, doors: ReadonlyMap<string, string>): string | null {
  if (specifier.startsWith('.')) return posix.join(posix.dirname(source.path), specifier);
  return doors.get(specifier) ?? null;
}

/** What a package may be imported by, and the source behind each. */
function doorsOf({ name, folder, manifest }: Package): [string, string][] {
  return Object.entries(manifest.exports ?? {}).flatMap(([door, conditions]): [string, string][] => {
    const source = (conditions as Readonly<Record<string, string>>)['edrlake-source'];
    return source === undefined ? [] : [[posix.join(name, door), posix.join('packages', folder, source)]];
  });
}

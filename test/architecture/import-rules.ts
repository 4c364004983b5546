import { posix } from 'node:path';
import type { Package } from './repository.ts';
import type { Import, Source } from './source.ts';
import type { Violation } from './violation.ts';

/** Which packages a package may import: only downwards, so that a reader can learn them in this order. */
export const IMPORT_TABLE: Readonly<Record<string, readonly string[]>> = {
  core: [],
  client: ['core'],
  pager: ['core'],
  flattener: ['core'],
  datasets: ['core', 'client'],
  writers: ['core'],
  lake: ['core', 'writers'],
  ocsf: ['core', 'datasets', 'lake'],
  runner: ['core', 'client', 'pager', 'flattener', 'datasets', 'lake', 'ocsf'],
  telemetry: ['core', 'runner'],
  temporal: ['core', 'runner'],
  serve: ['core', 'lake', 'runner', 'telemetry'],
  simulator: ['core'],
  cli: ['core', 'datasets', 'lake', 'ocsf', 'runner', 'telemetry', 'temporal', 'serve', 'simulator'],
  edrlake: ['core', 'client', 'pager', 'flattener', 'datasets', 'lake', 'runner', 'simulator', 'cli'],
};

/** The simulator shares no behaviour with what it tests, apart from how errors look and how time is written. */
const SIMULATOR_MAY_RUN = new Set(['EdrlakeError', 'ERROR_CODES', 'systemClock']);

/** The folder of the package that is published. */
const PUBLIC = 'edrlake';

/** Tests of any package may talk to a simulated gateway, and work with the events of a real API. */
const TESTS_MAY_ADD = ['simulator', 'datasets'];

/** The name of the package behind a specifier; null for relative ones and for what Node brings. */
function packageNameOf(specifier: string): string | null {
  if (specifier.startsWith('.') || specifier.startsWith('node:')) return null;
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/**
 * Imports that the table does not allow, that reach into another package's folder, or that deepen the simulator's ties.
 */
export function importTableViolations(
  packages: readonly Package[],
  table: Readonly<Record<string, readonly string[]>> = IMPORT_TABLE,
): Violation[] {
  const folderOf = new Map(packages.map(({ name, folder }) => [name, folder]));
  const doors = new Set(packages.flatMap(doorsOf));
  return packages.flatMap((pkg) => {
    const allowed = table[pkg.folder];
    if (allowed === undefined) {
      return [at(`packages/${pkg.folder}/package.json`, 1, 'the package is not in the import table', 'Give it a row')];
    }
    const own = [...allowed];
    const inTests = [...allowed, ...TESTS_MAY_ADD, pkg.folder];
    return [
      ...pkg.sources.flatMap((source) => outsideTable(source, pkg, own, folderOf, doors)),
      ...pkg.tests.flatMap((source) => outsideTable(source, pkg, inTests, folderOf, doors)),
      ...(pkg.folder === 'simulator' ? pkg.sources.flatMap(simulatorRunsCore) : []),
    ];
  });
}

/** What a package may be imported by: its name, and the further entries its manifest declares. */
function doorsOf({ name, manifest }: Package): string[] {
  return [name, ...Object.keys(manifest.exports ?? {}).map((entry) => posix.join(name, entry))];
}

function outsideTable(
  source: Source,
  pkg: Package,
  allowed: readonly string[],
  folderOf: ReadonlyMap<string, string>,
  doors: ReadonlySet<string>,
): Violation[] {
  return source.imports.flatMap((item) => {
    if (item.specifier.startsWith('.')) {
      const target = posix.join(posix.dirname(source.path), item.specifier);
      if (target.startsWith(`packages/${pkg.folder}/`)) return [];
      // Sample payloads and what they must become are the same for every package's tests.
      const isTest = source.path.startsWith(`packages/${pkg.folder}/test/`);
      if (isTest && target.startsWith('test/fixtures/')) return [];
      // What holds the lakes of the tests is one for those of the packages above.
      if (isTest && allowed.some((folder) => target.startsWith(`packages/${folder}/test/`))) return [];
      return [at(source.path, item.line, `${item.specifier} leaves the package`, 'Import the package by its name')];
    }
    const name = packageNameOf(item.specifier);
    const folder = folderOf.get(name ?? '');
    if (folder === undefined) return [];
    if (!doors.has(item.specifier)) {
      return [at(source.path, item.line, `${item.specifier} reaches past the index of ${name}`, `Import ${name}`)];
    }
    if (allowed.includes(folder)) return [];
    const choice = allowed.length === 0 ? 'no package' : `only ${allowed.join(', ')}`;
    return [
      at(
        source.path,
        item.line,
        `${pkg.folder} imports ${folder}`,
        `It may import ${choice}: move the code or the wiring`,
      ),
    ];
  });
}

function simulatorRunsCore(source: Source): Violation[] {
  return source.imports
    .filter(({ specifier }) => packageNameOf(specifier) === '@edrlake/core')
    .flatMap(({ line, valueNames }) =>
      valueNames
        .filter((name) => !SIMULATOR_MAY_RUN.has(name))
        .map((name) =>
          at(source.path, line, `the simulator runs core's ${name}`, 'Write its own: it must not share a bug'),
        ),
    );
}

/** Manifests and project references that say something else than the imports do. */
export function dependencyViolations(packages: readonly Package[]): Violation[] {
  const folderOf = new Map(packages.map(({ name, folder }) => [name, folder]));
  // What the public package ships loads them, and their users install them beside it.
  const loadedInside = new Set(packages.flatMap((pkg) => [...importedPackages(pkg.sources).keys()]));
  return packages.flatMap((pkg) => {
    const manifest = `packages/${pkg.folder}/package.json`;
    const tsconfig = `packages/${pkg.folder}/tsconfig.json`;
    const imported = importedPackages(pkg.sources);
    const declared = new Set(declaredBy(pkg, folderOf));
    const importedFolders = new Set([...imported.keys()].flatMap((name) => folderOf.get(name) ?? []));
    return [
      ...[...imported]
        .filter(([name]) => !declared.has(name))
        .map(([name, { file, line }]) => at(file, line, `${name} is not in dependencies`, `Add it to ${manifest}`)),
      ...[...declared]
        .filter((name) => !imported.has(name) && !(pkg.folder === PUBLIC && loadedInside.has(name)))
        .map((name) => at(manifest, 1, `${name} is in dependencies, but nothing imports it`, 'Remove it')),
      ...[...importedFolders]
        .filter((folder) => !pkg.references.includes(folder))
        .map((folder) => at(tsconfig, 1, `references lack ../${folder}`, 'Add it: tsc -b builds in that order')),
      ...pkg.references
        .filter((folder) => !importedFolders.has(folder))
        .map((folder) => at(tsconfig, 1, `references name ../${folder}, but nothing imports it`, 'Remove it')),
    ];
  });
}

/**
 * What a package declares for its imports. The public package has the code of the others in its bundle, so that they
 * are needed to build it only; its build refuses a package of others that its bundle imports and it does not declare.
 * What its own files import of others, a consumer brings.
 */
function declaredBy({ folder, manifest }: Package, folderOf: ReadonlyMap<string, string>): string[] {
  // A peer that may be missing is installed where what needs it is wanted.
  if (folder !== PUBLIC) {
    return [manifest.dependencies, manifest.peerDependencies].flatMap((named) => Object.keys(named ?? {}));
  }
  const bundled = Object.keys(manifest.devDependencies ?? {}).filter((name) => folderOf.has(name));
  return [...bundled, ...Object.keys(manifest.peerDependencies ?? {})];
}

/** The only code of other packages that a page runs, with its file: it must load nothing itself. */
const FOR_BROWSERS: Readonly<Record<string, string>> = {
  '@edrlake/core/quantities': 'packages/core/src/quantities.ts',
  '@edrlake/runner/states': 'packages/runner/src/states.ts',
};

/** Imports of a page that no browser can follow, and packages that its manifest does not name. */
export function pageImportViolations(packages: readonly Package[]): Violation[] {
  const ours = new Set(packages.map(({ name }) => name));
  const sources = new Map(packages.flatMap((pkg) => pkg.sources).map((source) => [source.path, source]));
  const loads = (path: string): Violation[] =>
    (sources.get(path)?.imports ?? [])
      .filter(({ isTypeOnly }) => !isTypeOnly)
      .flatMap(({ specifier, line }) =>
        specifier.startsWith('.')
          ? loads(posix.join(posix.dirname(path), specifier))
          : [notLoaded(path, line, specifier)],
      );
  const violations = packages.flatMap(({ page, manifest }) =>
    page.flatMap(({ path, imports }) =>
      imports.flatMap(({ specifier, line, isTypeOnly }) => {
        const name = packageNameOf(specifier);
        if (name === null || isTypeOnly || specifier in FOR_BROWSERS) return [];
        if (ours.has(name)) return [notLoaded(path, line, specifier)];
        if (name in (manifest.devDependencies ?? {})) return [];
        return [at(path, line, `${name} is not in devDependencies`, 'Add it: vite puts it into the assets')];
      }),
    ),
  );
  return [...violations, ...Object.values(FOR_BROWSERS).flatMap(loads)];
}

function notLoaded(file: string, line: number, specifier: string): Violation {
  return at(file, line, `the browser would load ${specifier}`, 'Import its types only, or ask the server');
}

function importedPackages(sources: readonly Source[]): Map<string, { file: string; line: number }> {
  const imported = new Map<string, { file: string; line: number }>();
  for (const source of sources) {
    for (const { specifier, line } of source.imports) {
      const name = packageNameOf(specifier);
      if (name !== null && !imported.has(name)) imported.set(name, { file: source.path, line });
    }
  }
  return imported;
}

/** Files that need each other in a circle, types included: none of them can be read first. */
export function fileCycles(sources: readonly Source[]): Violation[] {
  const known = new Map(sources.map((source) => [source.path, source]));
  const edges = new Map<string, ReadonlyMap<string, Import>>();
  for (const source of sources) {
    const targets = new Map<string, Import>();
    for (const item of source.imports) {
      const target = posix.join(posix.dirname(source.path), item.specifier);
      if (item.specifier.startsWith('.') && known.has(target)) targets.set(target, item);
    }
    edges.set(source.path, targets);
  }
  return cyclesOf(edges);
}

/** Packages that need each other in a circle. */
export function packageCycles(packages: readonly Package[]): Violation[] {
  const folderOf = new Map(packages.map(({ name, folder }) => [name, folder]));
  const edges = new Map<string, ReadonlyMap<string, Import>>();
  for (const pkg of packages) {
    const targets = new Map<string, Import>();
    for (const item of pkg.sources.flatMap(({ imports }) => imports)) {
      const folder = folderOf.get(packageNameOf(item.specifier) ?? '');
      if (folder !== undefined && folder !== pkg.folder) targets.set(`packages/${folder}`, item);
    }
    edges.set(`packages/${pkg.folder}`, targets);
  }
  return cyclesOf(edges);
}

/** One violation for every edge that closes a circle in a depth-first walk. */
function cyclesOf(edges: ReadonlyMap<string, ReadonlyMap<string, Import>>): Violation[] {
  const violations: Violation[] = [];
  const done = new Set<string>();
  const walk = (node: string, trail: readonly string[]): void => {
    const path = [...trail, node];
    for (const [target, { line }] of edges.get(node) ?? []) {
      const start = path.indexOf(target);
      if (start >= 0) {
        const circle = [...path.slice(start), target].join(' → ');
        violations.push(
          at(node, line, `an import cycle: ${circle}`, 'Move what both need into a third place below them'),
        );
      } else if (!done.has(target)) {
        walk(target, path);
      }
    }
    done.add(node);
  };
  for (const node of edges.keys()) if (!done.has(node)) walk(node, []);
  return violations;
}

function at(file: string, line: number, problem: string, remedy: string): Violation {
  return { file, line, problem, remedy };
}

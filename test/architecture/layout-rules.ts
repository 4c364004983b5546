import { posix } from 'node:path';
import type { Source } from './source.ts';
import type { Violation } from './violation.ts';

/** The folders of each package's `src`, lowest first: a file imports from its own folder and from those before it. */
export const FOLDER_ORDER: Readonly<Record<string, readonly string[]>> = {
  core: ['errors', 'time', 'events', 'tables', 'process', '.'],
  client: ['sliding-window', 'rate-limit', 'http', 'auth', 'qualys', '.'],
  pager: ['json', 'scan', 'plan', 'fetch', '.'],
  flattener: ['spec', 'sql', 'stage', 'in-process', '.'],
  datasets: ['define', 'qualys-edr', 'qualys-fim', '.'],
  writers: ['.'],
  lake: [
    'indicators',
    'storage',
    'object-store',
    'proofs',
    'promoted',
    'log',
    'commit',
    'recovery',
    'maintenance',
    'verify',
    'portable',
    'reading',
    'query',
    'union',
    'unload',
    'open-tables/publication',
    'open-tables/delta',
    'open-tables/iceberg',
    'open-tables/ducklake',
    'open-tables',
    'value-index',
    'hunt',
    'standing',
    'examine',
    'methods',
    '.',
  ],
  ocsf: ['schema', 'mapping', 'publish', '.'],
  runner: [
    'journal',
    'workflow/definition',
    'workflow/state',
    'workflow/engine',
    'run',
    'horizon',
    'doubt',
    'export',
    'reconcile',
    'sync',
    'days',
    'volume',
    'connect',
    'doctor',
    'history',
    'investigate',
    'tasks',
    '.',
  ],
  telemetry: ['.'],
  temporal: ['contract', 'workflow', 'client', 'worker', '.'],
  serve: ['documents', 'guard', 'data', 'http', '.'],
  simulator: ['world', 'records', 'query', 'server', '.'],
  cli: [
    'process',
    'text',
    'args/flags',
    'args',
    'config',
    'render',
    'investigate',
    'progress',
    'session',
    'subscriptions',
    'temporal',
    'query',
    'demo',
    'commands',
    '.',
  ],
  edrlake: ['input', 'lake', 'source', '.'],
};

/** More files in one folder can no longer be surveyed. */
const MAX_FILES = 14;

/** Folders in which each file is one of a kind, found by its name. */
const CATALOGUES = new Set(['packages/cli/src/commands']);

const SOURCE = /^packages\/([^/]+)\/src\/(.+)$/;

/** Imports from a folder that comes later in the declared order, and folders that have no place in it. */
export function folderOrderViolations(
  sources: readonly Source[],
  order: Readonly<Record<string, readonly string[]>> = FOLDER_ORDER,
): Violation[] {
  return sources.flatMap((source) => {
    const [pkg, folder] = placeOf(source.path);
    const folders = order[pkg] ?? [];
    const own = folders.indexOf(folder);
    if (pkg === '') return [];
    if (own < 0) return [at(source.path, 1, `the folder ${folder} is not in the folder order`, 'Give it a place')];
    return source.imports.flatMap(({ specifier, line }) => {
      if (!specifier.startsWith('.')) return [];
      const [, target] = placeOf(posix.join(posix.dirname(source.path), specifier));
      if (folders.indexOf(target) <= own) return [];
      return [at(source.path, line, `${folder} imports ${target}`, 'Move the code down, or pass it as an argument')];
    });
  });
}

/** Folders with too many files. */
export function folderSizeViolations(sources: readonly Source[]): Violation[] {
  const counts = new Map<string, number>();
  for (const { path } of sources.filter((source) => SOURCE.test(source.path))) {
    counts.set(posix.dirname(path), (counts.get(posix.dirname(path)) ?? 0) + 1);
  }
  return [...counts].flatMap(([folder, count]) =>
    count <= MAX_FILES || CATALOGUES.has(folder)
      ? []
      : [at(folder, 1, `${count} files, ${MAX_FILES} are allowed`, 'Divide it by concern')],
  );
}

/** Package and folder below `src`; the folder is `.` for files directly in it. */
function placeOf(path: string): [string, string] {
  const found = SOURCE.exec(path);
  return found === null ? ['', ''] : [found[1] ?? '', posix.dirname(found[2] ?? '')];
}

function at(file: string, line: number, problem: string, remedy: string): Violation {
  return { file, line, problem, remedy };
}

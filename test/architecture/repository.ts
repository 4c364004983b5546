import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseSource, type Source } from './source.ts';

/** A text file of the repository. */
export interface TextFile {
  /** Path from the top of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

/** What a package says about itself, and what its sources say. */
export interface Package {
  /** The folder's name below `packages/`. */
  readonly folder: string;
  /** The name others import it by. */
  readonly name: string;
  readonly manifest: {
    readonly dependencies?: Readonly<Record<string, string>>;
    readonly devDependencies?: Readonly<Record<string, string>>;
    readonly peerDependencies?: Readonly<Record<string, string>>;
    readonly exports?: Readonly<Record<string, unknown>>;
  };
  /** Folders of the packages its tsconfig refers to. */
  readonly references: readonly string[];
  /** `src/` and `bin/`: what is shipped. */
  readonly sources: readonly Source[];
  /** `page/src/`: what runs in a browser, shipped as assets. */
  readonly page: readonly Source[];
  /** `test/`. */
  readonly tests: readonly Source[];
}

/** The repository as the rules see it. */
export interface Repository {
  readonly files: readonly TextFile[];
  readonly packages: readonly Package[];
  /** Sources of `test/`, `pipelines/` and `examples/`, which belong to no package. */
  readonly outside: readonly Source[];
}

/** The folder everything is in, as an absolute path. */
export const TOP = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Made by tools or by running edrlake, never committed. `lake` counts only at the top: there is a package of that name.
 */
const NOT_OURS = new Set([
  '.git',
  'node_modules',
  'dist',
  'bundle',
  '.turbo',
  '.vitest',
  '.services',
  '.api-reference',
  'coverage',
]);
const NOT_OURS_AT_TOP = new Set(['lake']);

const TEXT =
  /\.(?:tsx?|js|mjs|css|html|json|jsonl|md|yml|yaml|sh|sql|txt)$|^\.(?:gitignore|npmrc|gitattributes)$|^run$/;

/** Every file that may be committed, binary ones too, byte by byte as Latin-1. */
export function everyFile(): TextFile[] {
  return listFiles('', /./).map((path) => ({ path, text: readFileSync(join(TOP, path), 'latin1') }));
}

/** Reads every text file below the top of the repository and parses the sources. */
export function readRepository(): Repository {
  const paths = listFiles('', TEXT);
  const files = paths.map((path) => ({ path, text: readFileSync(join(TOP, path), 'utf8') }));
  const parse = (pattern: RegExp) =>
    files.filter(({ path }) => pattern.test(path)).map(({ path, text }) => parseSource(path, text));
  const folders = files.flatMap(({ path }) => /^packages\/([^/]+)\/package\.json$/.exec(path)?.[1] ?? []);
  return {
    files,
    packages: folders.map((folder) => {
      const manifest = readJson(files, `packages/${folder}/package.json`);
      const tsconfig = readJson(files, `packages/${folder}/tsconfig.json`);
      return {
        folder,
        name: manifest.name,
        manifest,
        references: (tsconfig.references ?? []).map(({ path }: { path: string }) => path.replace('../', '')),
        sources: parse(new RegExp(`^packages/${folder}/(?:src|bin)/.*\\.[jt]s$`)),
        page: parse(new RegExp(`^packages/${folder}/page/src/.*\\.tsx?$`)),
        tests: parse(new RegExp(`^packages/${folder}/test/.*\\.ts$`)),
      };
    }),
    outside: parse(/^(?:test|pipelines|examples)\/.*\.ts$/),
  };
}

function listFiles(folder: string, wanted: RegExp): string[] {
  return readdirSync(join(TOP, folder), { withFileTypes: true }).flatMap((entry) => {
    if (NOT_OURS.has(entry.name) || (folder === '' && NOT_OURS_AT_TOP.has(entry.name))) return [];
    const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return listFiles(path, wanted);
    return entry.isFile() && wanted.test(entry.name) ? [path] : [];
  });
}

function readJson(files: readonly TextFile[], path: string) {
  const file = files.find((candidate) => candidate.path === path);
  return JSON.parse(file?.text ?? '{}');
}

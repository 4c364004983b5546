import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { writeDeclarations } from './declarations.js';

const PACKAGES = resolve(import.meta.dirname, '../..');
const OWN = join(PACKAGES, 'edrlake');
const MODULES = resolve(PACKAGES, '../node_modules');

/** Where the command is built to, and the library below it. */
export const BUNDLE = join(OWN, 'bundle');
export const LIBRARY = join(BUNDLE, 'library');

/**
 * Writes what the package ships besides the code: types, the pipelines and the page that come with it, and the licences of the
 * packages whose code is in a bundle.
 */
export function shippedFiles() {
  return {
    name: 'shipped-files',
    writeBundle({ dir }, chunks) {
      refuseUndeclared(chunks);
      const modules = Object.values(chunks).flatMap(({ moduleIds = [] }) => moduleIds);
      // The page has its packages in its own files.
      const ofPage = dir === LIBRARY ? [] : ['preact', 'uplot'].map((name) => join(MODULES, name, 'package.json'));
      writeFileSync(join(dir, 'THIRD-PARTY-LICENCES.txt'), licencesOf([...modules, ...ofPage]));
      if (dir === LIBRARY) {
        writeTypes();
        return;
      }
      cpSync(resolve(PACKAGES, '../pipelines'), join(dir, 'pipelines'), { recursive: true });
      cpSync(join(PACKAGES, 'serve/dist/page'), join(dir, 'page'), { recursive: true });
    },
  };
}

/** What a bundle leaves out must be a dependency: where it is not, it works only where npm happens to have installed it. */
function refuseUndeclared(chunks) {
  const { dependencies, peerDependencies } = readJson(join(OWN, 'package.json'));
  const imported = Object.values(chunks).flatMap(({ imports = [], dynamicImports = [] }) => [
    ...imports,
    ...dynamicImports,
  ]);
  const names = imported.filter((name) => chunks[name] === undefined && !isBuiltin(name)).map(packageName);
  const declared = { ...dependencies, ...peerDependencies };
  const missing = [...new Set(names)].filter((name) => declared[name] === undefined);
  if (missing.length > 0) throw new Error(`${missing.join(', ')} must be in the dependencies`);
}

function packageName(specifier) {
  return specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
}

/** The types of each entry, from what the compiler has written. */
function writeTypes() {
  const { exports, peerDependencies } = readJson(join(OWN, 'package.json'));
  const names = Object.values(exports).map(({ default: file }) => basename(file, '.js'));
  const entries = Object.fromEntries(names.map((name) => [name, join(OWN, 'dist', `${name}.d.ts`)]));
  const optional = Object.keys(peerDependencies);
  const others = writeDeclarations(entries, { from: PACKAGES, to: LIBRARY, optional });
  if (others.length > 0) throw new Error(`the types need ${others.join(', ')}, which the package does not declare`);
}

/** The licences ask that their text comes with the code. */
function licencesOf(modules) {
  const folders = new Set(modules.flatMap((id) => packageFolder(id) ?? []));
  const texts = [...folders].map((folder) => {
    const { name, version, license } = readJson(join(folder, 'package.json'));
    const files = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file));
    const text = files.sort().map((file) => readFileSync(join(folder, file), 'utf8').trim());
    return `${name} ${version}, ${license}\n\n${text.join('\n\n')}\n`;
  });
  return texts.sort().join(`\n${'-'.repeat(80)}\n\n`);
}

/** The folder of the package of others that a module is part of. */
function packageFolder(id) {
  const path = id.replace(/^\0/, '').replace(/\?.*$/, '');
  const at = path.lastIndexOf('/node_modules/');
  if (at === -1) return null;
  for (let folder = dirname(path); folder.length > at + '/node_modules'.length; folder = dirname(folder)) {
    if (existsSync(join(folder, 'package.json')) && readJson(join(folder, 'package.json')).version) return folder;
  }
  return null;
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}

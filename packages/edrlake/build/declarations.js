import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { parseSync } from 'oxc-parser';

/**
 * The types of what is shipped, without the packages that they come from: a copy of each declaration file that an entry
 * needs, with the declarations that it needs and no others, and with relative specifiers. A consumer has neither the
 * internal packages nor the packages that only internal declarations mention.
 *
 * The compiler has written the declarations before. Each is a statement of its own at the top of its file; what it needs
 * are the names in it that its file declares or imports.
 */

/** A name in comments would count as a use of it. */
const COMMENTS = /\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
const NAMES = /[A-Za-z_$][\w$]*/g;

/**
 * Writes the declarations of some entries, and removes what an earlier build wrote.
 * @param {Readonly<Record<string, string>>} entries the declaration file that the compiler wrote, by the name of the entry
 * @param {{ from: string, to: string, optional: readonly string[] }} options `from`: the folder of all packages; `to`:
 * where to write; `optional`: packages of others that a consumer may have, whose types are any where it does not
 * @returns {string[]} other packages of others that the declarations import
 */
export function writeDeclarations(entries, { from, to, optional }) {
  const files = new Map();
  const fileAt = (path) => {
    if (!files.has(path)) files.set(path, readDeclarations(path));
    return files.get(path);
  };
  const others = new Set();
  /** Where a name is declared, through all re-exports. null: in a package of others. */
  const originOf = (path, name) => {
    const { reexports, imports, declarations, renamed } = fileAt(path);
    const passedOn = reexports.get(name) ?? (declarations.has(name) ? undefined : imports.get(name));
    if (passedOn === undefined) return { path, name: renamed.get(name) ?? name };
    const target = resolveSpecifier(from, path, passedOn.specifier);
    return target === null ? null : originOf(target, passedOn.name);
  };
  const need = (path, name) => {
    const file = fileAt(path);
    const declared = file.declarations.get(name);
    if (declared === undefined) throw new Error(`${path} does not declare ${name}`);
    if (file.needed.has(name)) return;
    file.needed.add(name);
    for (const used of new Set(declared.text.replace(COMMENTS, '').match(NAMES))) {
      if (file.declarations.has(used)) need(path, used);
      else if (file.imports.has(used)) needImport(file, path, used);
    }
  };
  const needImport = (file, path, local) => {
    const { specifier, name } = file.imports.get(local);
    const target = resolveSpecifier(from, path, specifier);
    if (target === null) {
      if (!optional.includes(specifier)) others.add(specifier);
      file.used.set(local, { specifier, name });
      return;
    }
    const origin = originOf(target, name);
    if (origin === null) throw new Error(`${path}: ${local} comes from a package of others by a re-export`);
    need(origin.path, origin.name);
    file.used.set(local, origin);
  };
  const heads = Object.entries(entries).map(([entry, path]) => {
    const { reexports, declarations, head } = fileAt(path);
    const exported = [
      ...reexports.keys(),
      ...[...declarations].filter(([, { isExported }]) => isExported).map(([n]) => n),
    ];
    const lines = exported.map((name) => {
      const origin = originOf(path, name);
      if (origin === null) throw new Error(`${entry}: ${name} comes from a package of others`);
      need(origin.path, origin.name);
      return { name, origin };
    });
    return { entry, lines, head };
  });
  const placeOf = (path) => join(to, 'types', relative(from, path).replace('/dist/', '/'));
  rmSync(join(to, 'types'), { recursive: true, force: true });
  for (const [path, file] of files) {
    if (file.needed.size > 0) write(placeOf(path), textOf(file, placeOf(path), placeOf, optional));
  }
  for (const { entry, lines, head } of heads) {
    const place = join(to, `${entry}.d.ts`);
    const names = lines.map(({ name, origin }) => {
      const { isType } = fileAt(origin.path).declarations.get(origin.name);
      const alias = origin.name === name ? name : `${origin.name} as ${name}`;
      return { specifier: specifierOf(place, placeOf(origin.path)), text: isType ? `type ${alias}` : alias };
    });
    write(place, head + linesOf('export', names));
  }
  return [...others].sort();
}

function textOf(file, place, placeOf, optional) {
  const imports = [...file.used].map(([local, { path, specifier, name }]) => ({
    specifier: specifier ?? specifierOf(place, placeOf(path)),
    text: name === local ? local : `${name} as ${local}`,
  }));
  const declarations = [...file.declarations].filter(([name]) => file.needed.has(name)).map(([, { text }]) => text);
  // The library of disposable objects is not among those that a target brings.
  const usesDisposable = declarations.some((text) => /\bAsyncDisposable\b|Symbol\.asyncDispose/.test(text));
  const libraries = usesDisposable ? '/// <reference lib="esnext.disposable" />\n' : '';
  // Without an export of its own, everything that a declaration file declares is exported.
  return `${libraries}${linesOf('import type', imports, optional)}${declarations.join('\n')}\nexport {};\n`;
}

/** The compiler would refuse the whole file where the package is not installed. */
const UNLESS_MISSING = '// @ts-ignore: an optional package\n';

/** One statement for each file that names come from. */
function linesOf(keyword, names, optional = []) {
  const bySpecifier = new Map();
  for (const { specifier, text } of names) bySpecifier.set(specifier, [...(bySpecifier.get(specifier) ?? []), text]);
  const lines = [...bySpecifier].map(
    ([specifier, of]) =>
      `${optional.includes(specifier) ? UNLESS_MISSING : ''}${keyword} { ${of.sort().join(', ')} } from '${specifier}';\n`,
  );
  return lines.sort().join('');
}

/** What a declaration file declares, imports and passes on. */
function readDeclarations(path) {
  const written = readFileSync(path, 'utf8').replace(/\/\/# sourceMappingURL=.*/, '');
  // The compiler writes inferred types with their file. An import by name is what the rest understands.
  const inferred = new Map();
  const text = written.replace(/\bimport\("([^"]+)"\)\.([\w$]+)/g, (_, specifier, name) => {
    const other = inferred.get(name)?.specifier ?? specifier;
    if (other !== specifier) throw new Error(`${path} infers ${name} from ${other} and from ${specifier}`);
    inferred.set(name, { specifier, name });
    return name;
  });
  const { program, errors } = parseSync(path, text);
  if (errors.length > 0) throw new Error(`${path}: ${errors[0].message}`);
  const [declarations, imports, reexports, renamed] = [new Map(), new Map(), new Map(), new Map()];
  let head = '';
  let end = 0;
  for (const statement of program.body) {
    // With the docstring before it.
    const whole = text.slice(end, statement.end).trim();
    const at = end;
    end = statement.end;
    // The docstring of a module is that of its entry.
    if (at === 0 && /@module\b/.test(whole)) head = `${text.slice(0, statement.start).trim()}\n\n`;
    if (statement.type === 'ImportDeclaration') {
      for (const { local, imported } of statement.specifiers) {
        imports.set(local.name, { specifier: statement.source.value, name: imported?.name ?? 'default' });
      }
    } else if (statement.type === 'ExportNamedDeclaration' && statement.source !== null) {
      for (const { local, exported } of statement.specifiers) {
        reexports.set(exported.name, { specifier: statement.source.value, name: local.name });
      }
    } else if (statement.type === 'ExportNamedDeclaration' && statement.declaration === null) {
      for (const { local, exported } of statement.specifiers) {
        if (imports.has(local.name)) reexports.set(exported.name, imports.get(local.name));
        else renamed.set(exported.name, local.name);
      }
    } else {
      const declaration = statement.declaration ?? statement;
      const isExported = statement.type === 'ExportNamedDeclaration';
      const isType = /^TS(?:Interface|TypeAlias)/.test(declaration.type);
      for (const name of namesOf(declaration, path)) {
        // Overloads of a function are one declaration.
        const earlier = declarations.get(name);
        const exportedText = isExported ? whole : whole.replace(/(^|\n)(declare |interface |type )/, '$1export $2');
        declarations.set(name, {
          text: earlier ? `${earlier.text}\n${exportedText}` : exportedText,
          isType,
          isExported,
        });
      }
    }
  }
  for (const [name, origin] of inferred) {
    const known = imports.get(name);
    if (declarations.has(name) || (known && resolve(path, known.specifier) !== resolve(path, origin.specifier))) {
      throw new Error(`${path} infers ${name} from ${origin.specifier}, and has another of that name`);
    }
    imports.set(name, origin);
  }
  return { declarations, imports, reexports, renamed, head, needed: new Set(), used: new Map() };
}

function namesOf(declaration, path) {
  if (declaration.id?.name !== undefined) return [declaration.id.name];
  if (declaration.type === 'VariableDeclaration') return declaration.declarations.map(({ id }) => id.name);
  throw new Error(`${path}: ${declaration.type} is not expected in a declaration file`);
}

/** The declaration file behind a specifier; null for a package of others. */
function resolveSpecifier(packages, path, specifier) {
  if (specifier.startsWith('.')) return resolve(dirname(path), specifier.replace(/\.[jt]s$/, '.d.ts'));
  if (!specifier.startsWith('@edrlake/')) return null;
  const [, name, ...door] = specifier.split('/');
  const folder = join(packages, name);
  const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return join(folder, exports[['.', ...door].join('/')].types);
}

function specifierOf(from, to) {
  const path = relative(dirname(from), to).replace(/\.d\.ts$/, '.js');
  return path.startsWith('.') ? path : `./${path}`;
}

function write(path, text) {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

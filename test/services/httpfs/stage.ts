import { cp, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { installVersitygw } from '../object-store/servers.ts';
import { installPython, NPM_QUIET, output, packedEdrlake } from '../part.ts';

// An extension loads only into exactly its own version of DuckDB, and 1.5.5 is the newest that PyPI has.
const BINDINGS = '1.5.5-r.5';
const WHEEL = 'duckdb-extension-httpfs==1.5.5';

/** What the tests run. */
export interface Kit {
  readonly versitygw: string;
  readonly folder: string;
  /** A project that has edrlake and the older DuckDB. */
  readonly project: string;
  /** The file of the extension. */
  readonly httpfs: string;
}

/** Installs the packed package with the older DuckDB, its extension and a server. */
export async function install(folder: string): Promise<Kit> {
  await mkdir(join(folder, 'python'), { recursive: true });
  const [versitygw, python] = await Promise.all([
    installVersitygw(),
    installPython(join(folder, 'python'), ['--no-deps', WHEEL]),
  ]);
  const packages = join(python, '../../lib');
  const files = await readdir(packages, { recursive: true });
  const found = files.find((path) => path.endsWith('httpfs.duckdb_extension'));
  if (found === undefined) throw new Error(`${WHEEL} has no httpfs.duckdb_extension`);
  const { tarball } = await packedEdrlake();
  const project = join(folder, 'project');
  await rm(project, { recursive: true, force: true });
  await cp(join(import.meta.dirname, 'ask.mjs'), join(project, 'ask.mjs'));
  const manifest = { private: true, type: 'module', overrides: { '@duckdb/node-bindings': BINDINGS } };
  await writeFile(join(project, 'package.json'), JSON.stringify(manifest));
  await output('npm', ['install', ...NPM_QUIET, tarball, '@aws-sdk/client-s3@~3.1175.0'], { cwd: project });
  return { versitygw, folder, project, httpfs: join(packages, found) };
}

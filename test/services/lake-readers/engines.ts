import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { output, run } from '../part.ts';
import { installSpark } from '../spark.ts';

/** The first is the one of the other engines' Python. */
const DUCKDB_VERSIONS = ['2.0.1', '1.5.6', '1.1.3'] as const;
export const [DUCKDB_NEW, ...DUCKDB_OLDER] = DUCKDB_VERSIONS;
const PACKAGES = [
  ...[`duckdb==${DUCKDB_NEW}`, 'pyarrow==25.0.1', 'pandas==3.1.1', 'polars==2.1.0', 'datafusion==55.0.0'],
  ...['dask[dataframe]==2026.8.0', 'fastparquet==2026.9.0', 'chdb==4.4.0', 'daft==0.7.26'],
];

/** What is installed. */
export interface Kit {
  readonly python: string;
  /** A Python with Spark. */
  readonly sparkPython: string;
  /** The folder of an older DuckDB. */
  older(version: string): string;
}

/** Installs the engines. @throws where that is impossible */
export async function install(folder: string): Promise<Kit> {
  const list = join(folder, 'installed.txt');
  const python = join(folder, 'venv/bin/python');
  const older = (version: string) => join(folder, `duckdb-${version}`);
  const kit = { python, older, sparkPython: (await installSpark()).python };
  const wanted = [...PACKAGES, ...DUCKDB_OLDER].join('\n');
  if (existsSync(list) && (await readFile(list, 'utf8')) === wanted) return kit;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const pip = async (pythonOf: string, ...args: string[]) => {
    const quiet = ['-m', 'pip', 'install', '-q', '--disable-pip-version-check'];
    const { exitCode, stderr } = await run(pythonOf, [...quiet, ...args], { cwd: folder });
    if (exitCode !== 0) throw new Error(`pip could not install ${args.join(' ')} from PyPI:\n${stderr.trim()}`);
  };
  await output('python3', ['-m', 'venv', 'venv'], { cwd: folder });
  await pip(python, ...PACKAGES);
  for (const version of DUCKDB_OLDER) {
    await pip(python, '--no-deps', '--target', older(version), `duckdb==${version}`);
  }
  await writeFile(list, wanted);
  return kit;
}

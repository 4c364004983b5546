import { mkdir, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { freePort } from '../services/install.ts';
import { inFreshDirectory, runCommand, runJson } from './command.ts';

/** Messages by path; one path is refused. */
const received: { readonly path: string; readonly message: Record<string, unknown> }[] = [];
const receiver = createServer(async (request, response) => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const path = request.url ?? '';
  received.push({ path, message: JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown> });
  response.writeHead(path.startsWith('/refused') ? 403 : 204).end();
});

let host = '';
beforeAll(async () => {
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(receiver.address() as AddressInfo).port}`;
});
afterAll(() => new Promise((resolve) => receiver.close(resolve)));

const pipelineWith = (hooks: object) => `
import { definePipeline } from 'edrlake';
export default definePipeline({
  name: 'alerts',
  tasks: { nothing: { run: async () => ({}) } },
  hooks: ${JSON.stringify(hooks)},
});
`;

/** Runs a command where there is such a pipeline. */
async function withPipeline(hooks: object, act: (cwd: string) => Promise<void>): Promise<void> {
  received.length = 0;
  await inFreshDirectory(async (cwd) => {
    await mkdir(join(cwd, 'pipelines'));
    await writeFile(join(cwd, 'pipelines', 'alerts.ts'), pipelineWith(hooks));
    await act(cwd);
  });
}

it('--test-hooks sends a message to each, and says which did not arrive, without a run or a gateway', async () => {
  const closed = `127.0.0.1:${await freePort()}`;
  const hooks = {
    onFailure: { url: `http://${host}/alert?token=s3cret` },
    onMismatch: { url: `http://${host}/refused` },
    onQuiet: { url: `http://${closed}/`, headers: { authorization: 'Bearer s3cret' } },
  };
  await withPipeline(hooks, async (cwd) => {
    const { exitCode, stdout, stderr } = await runCommand(['run', 'alerts', '--test-hooks'], { cwd });
    expect(exitCode, stderr).toBe(1);
    expect(stdout.replaceAll(/\s+/g, ' ')).toBe(
      `onFailure delivered to ${host}, HTTP 204 onMismatch not delivered to ${host}: HTTP 403 ` +
        `onQuiet not delivered to ${closed}: no connection to the webhook at ${closed}: ` +
        'the connection was refused (ECONNREFUSED) ',
    );
    const about = (hook: string) => ({ pipeline: 'alerts', runId: null, test: true, hook });
    expect(received).toEqual([
      { path: '/alert?token=s3cret', message: about('onFailure') },
      { path: '/refused', message: about('onMismatch') },
    ]);
    const described = await runCommand(['run', 'alerts', '--dry-run', '--base-url', `http://${host}`], { cwd });
    expect(described.stdout).toContain(`onFailure   POST to ${host}`);
    expect(stdout + stderr + described.stdout + described.stderr).not.toContain('s3cret');
    expect(received).toHaveLength(2);
  });
});

it('--test-hooks ends with 0 where all arrive, and refuses a pipeline without any', async () => {
  await withPipeline({ onSuccess: { url: `http://${host}/` } }, async (cwd) => {
    expect(await runJson(['run', 'alerts', '--test-hooks'], { cwd })).toEqual({
      pipeline: 'alerts',
      hooks: [{ hook: 'onSuccess', host, delivered: true, attempts: 1, status: 204, reason: null }],
    });
  });
  await withPipeline({}, async (cwd) => {
    const refused = await runCommand(['run', 'alerts', '--test-hooks'], { cwd });
    expect(refused.exitCode).toBe(2);
    expect(refused.stderr).toContain('pipeline "alerts" has no hooks to test [USAGE]');
  });
});

it('--test-hooks sends nothing beside a flag that asks for something else', async () => {
  await withPipeline({ onSuccess: { url: `http://${host}/` } }, async (cwd) => {
    for (const flags of [['--dry-run'], ['--resume', '20261122T003012Z-1f9a2c']]) {
      const refused = await runCommand(['run', 'alerts', '--test-hooks', ...flags], { cwd });
      expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
      expect(refused.stderr).toContain(`expected one of --test-hooks and ${flags[0]}, found both [USAGE]`);
    }
    expect(received).toEqual([]);
  });
});

it('a webhook that speaks plain HTTP where TLS is expected has no certificate to blame', async () => {
  await withPipeline({ onSuccess: { url: `https://${host}/` } }, async (cwd) => {
    const { stdout } = await runCommand(['run', 'alerts', '--test-hooks'], { cwd });
    expect(stdout.replaceAll(/\s+/g, ' ')).toContain('TLS failed; it may speak plain HTTP (ERR_SSL_');
    expect(stdout).not.toContain('certificate');
  });
});

it('a run says why its alert was not delivered, also afterwards', async () => {
  await withPipeline({ onSuccess: { url: `http://${host}/refused?token=s3cret` } }, async (cwd) => {
    const said = 'onSuccess: not delivered, 1 attempt: HTTP 403';
    const ended = await runCommand(['run', 'alerts', '--base-url', `http://${host}`], { cwd });
    expect(ended.exitCode, ended.stderr).toBe(0);
    expect(ended.stdout).toContain(said);
    expect(ended.stderr).toContain('alerts: onSuccess not delivered after 1 attempt: HTTP 403');
    const runId = /\d{8}T\d{6}Z-\w+/.exec(ended.stdout)?.[0] ?? '';
    const shown = await runCommand(['runs', runId], { cwd });
    expect(shown.stdout).toContain(said);
    expect(ended.stdout + ended.stderr + shown.stdout).not.toContain('s3cret');
  });
});

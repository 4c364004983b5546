import { mkdir, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { parseRange } from '@edrlake/core';
import { type Simulator, startSimulator } from '@edrlake/simulator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inFreshDirectory, runCommand, startCommand } from './command.ts';

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator({
    events: 600,
    range: parseRange('2026-11-10', '2026-11-11'),
    seed: 5,
    nowMs: null,
  });
});
afterAll(() => simulator.close());

/** A receiver that takes what is sent, or never answers. */
async function startReceiver(answers: boolean) {
  const received: { readonly path: string; readonly body: Buffer }[] = [];
  const server: Server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      received.push({ path: request.url ?? '', body: Buffer.concat(pieces) });
      if (answers) response.writeHead(200, { 'Content-Type': 'application/x-protobuf' }).end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { received, url: `http://127.0.0.1:${port}`, close };
}

const BACKFILL = ['backfill', '--from', '2026-11-10', '--to', '2026-11-11', '--telemetry', 'otlp'];

describe('--telemetry otlp', () => {
  it('sends the spans and the metrics of a command, and no secret', async () => {
    const receiver = await startReceiver(true);
    try {
      await inFreshDirectory(async (cwd) => {
        const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url, OTEL_SERVICE_NAME: 'night', EDRLAKE_PASSWORD: 'demo' };
        const ended = await runCommand([...BACKFILL, '--base-url', simulator.url], { cwd, env });
        expect(ended).toMatchObject({ exitCode: 0 });
        expect(ended.stderr).not.toContain('telemetry');
      });
    } finally {
      await receiver.close();
    }
    const of = (path: string) =>
      Buffer.concat(receiver.received.filter((one) => one.path === path).map(({ body }) => body)).toString('latin1');
    for (const name of ['edrlake backfill', 'plan', 'window', 'page', 'flatten and commit', 'commit', 'night']) {
      expect(of('/v1/traces')).toContain(name);
    }
    for (const name of ['edrlake_requests_total', 'edrlake_events_total', 'edrlake_proven_age_seconds', 'night']) {
      expect(of('/v1/metrics')).toContain(name);
    }
    expect(of('/v1/traces') + of('/v1/metrics')).not.toMatch(/demo|Bearer/);
  });

  it('warns where there is no receiver, and changes no exit code', async () => {
    await inFreshDirectory(async (cwd) => {
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1', OTEL_EXPORTER_OTLP_TIMEOUT: '500' };
      const ended = await runCommand([...BACKFILL, '--base-url', simulator.url], { cwd, env });
      expect(ended).toMatchObject({ exitCode: 0 });
      expect(ended.stderr).toMatch(/telemetry: traces were not accepted: ECONNREFUSED/);
    });
  });

  it.each([
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'expected http/protobuf, found grpc'],
    [{ OTEL_METRIC_EXPORT_INTERVAL: '1m' }, 'expected milliseconds, found 1m'],
    [{ OTEL_EXPORTER_OTLP_ENDPOINT: 'collector:4318' }, 'OTEL_EXPORTER_OTLP_ENDPOINT: expected an address such as'],
  ])('refuses %o before anything is asked', async (env, reason) => {
    await inFreshDirectory(async (cwd) => {
      const ended = await runCommand([...BACKFILL, '--base-url', simulator.url], { cwd, env });
      expect(ended).toMatchObject({ exitCode: 2, stdout: '' });
      expect(ended.stderr.replaceAll(/\s+/g, ' ')).toContain(reason);
    });
  });

  it('ends within two seconds of Ctrl-C while the receiver says nothing', async () => {
    const receiver = await startReceiver(false);
    const slow = await startSimulator({
      ...{ events: 600, range: parseRange('2026-11-10', '2026-11-11'), seed: 5, nowMs: null },
      latencyMs: 400,
    });
    try {
      await inFreshDirectory(async (cwd) => {
        const env = { OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url };
        const command = startCommand([...BACKFILL, '--base-url', slow.url, '--log-level', 'debug'], { cwd, env });
        await command.said('to fetch');
        const stoppedMs = performance.now();
        command.kill('SIGINT');
        expect(await command.ended).toMatchObject({ exitCode: 130 });
        expect(performance.now() - stoppedMs).toBeLessThan(2_000);
      });
    } finally {
      await slow.close();
      await receiver.close();
    }
  });
});

const PIPELINE = `
import { definePipeline } from 'edrlake';

export default definePipeline({
  name: 'yearly',
  schedule: { cron: '0 0 1 1 *', timeZone: 'UTC' },
  tasks: { fetch: { uses: 'backfill', with: { from: '2026-11-10', to: '2026-11-10' } } },
});
`;

async function freePort(): Promise<number> {
  const { url, close } = await startReceiver(true);
  await close();
  return Number(new URL(url).port);
}

describe('schedule --metrics-port', () => {
  it('serves what the process counts and the state of the lake, until it ends', async () => {
    await inFreshDirectory(async (cwd) => {
      await mkdir(join(cwd, 'pipelines'));
      await writeFile(join(cwd, 'pipelines', 'yearly.ts'), PIPELINE);
      const port = await freePort();
      const args = ['schedule', '--base-url', simulator.url, '--metrics-port', String(port)];
      const running = startCommand(args, { cwd });
      await running.said(`metrics: http://127.0.0.1:${port}/metrics`);
      await running.said('yearly: next run at');
      const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
      expect(answer.headers.get('content-type')).toContain('version=0.0.4');
      const text = await answer.text();
      expect(text).toMatch(/^edrlake_runs_total\{pipeline="yearly",state="done"\} 1$/m);
      expect(text).toMatch(/^edrlake_requests_total\{endpoint="events",status="200"\} \d+$/m);
      expect(text).toMatch(/^edrlake_lake_version 1$/m);
      expect((await fetch(`http://127.0.0.1:${port}/`)).status).toBe(404);
      running.kill('SIGTERM');
      expect(await running.ended).toMatchObject({ exitCode: 0 });
      await expect(fetch(`http://127.0.0.1:${port}/metrics`)).rejects.toThrow();
    });
  });

  it('needs a token where other machines reach it', async () => {
    await inFreshDirectory(async (cwd) => {
      await mkdir(join(cwd, 'pipelines'));
      await writeFile(join(cwd, 'pipelines', 'yearly.ts'), PIPELINE);
      const args = ['schedule', '--base-url', simulator.url, '--metrics-port', '0', '--host', '0.0.0.0'];
      const ended = await runCommand(args, { cwd });
      expect(ended.exitCode).toBe(2);
      expect(ended.stderr).toContain('--token-file');
    });
  });

  it('refuses an address for a server that was not asked for', async () => {
    await inFreshDirectory(async (cwd) => {
      await mkdir(join(cwd, 'pipelines'));
      await writeFile(join(cwd, 'pipelines', 'yearly.ts'), PIPELINE);
      const ended = await runCommand(['schedule', '--base-url', simulator.url, '--host', '127.0.0.1'], { cwd });
      expect(ended.exitCode).toBe(2);
      expect(ended.stderr).toContain('--metrics-port');
    });
  });
});

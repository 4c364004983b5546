import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseRange } from '@edrlake/core';
import { type Simulator, startSimulator } from '@edrlake/simulator';
import { RUN_COUNTERS } from '@edrlake/telemetry';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inFreshDirectory, runCommand, runJson, startCommand } from '../../e2e/command.ts';
import { definePart, freePort, output, run, TOP } from '../part.ts';

const MONITORING = join(TOP, 'docs/monitoring');
const COLLECTOR = 'v0.161.0';
const CONFMAP = 'v1.67.0';
const EVENTS = 900;

interface Kit {
  readonly collector: string;
  readonly folder: string;
}

let simulator: Simulator;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  simulator = await startSimulator({
    events: EVENTS,
    range: parseRange('2026-11-10', '2026-11-11'),
    seed: 5,
    nowMs: null,
  });
});

afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await simulator.close();
});

async function installPrometheus(): Promise<void> {
  const isThere = () => run('promtool', ['--version'], { cwd: TOP }).catch(() => null);
  if ((await isThere()) !== null) return;
  if (process.getuid?.() === 0) {
    await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'prometheus'], { cwd: TOP });
    if ((await isThere()) !== null) return;
  }
  throw new Error('Prometheus: needed, and not found. Install it (apt-get install prometheus).');
}

/** A collector that takes OTLP over HTTP and writes what it gets into a file. */
async function buildCollector(folder: string): Promise<string> {
  const program = join(folder, 'build/collector');
  if (existsSync(program)) return program;
  const module = (path: string, version: string) => `  - gomod: go.opentelemetry.io/collector/${path} ${version}`;
  const file = 'github.com/open-telemetry/opentelemetry-collector-contrib/exporter/fileexporter';
  const lines = [
    `dist: { name: collector, module: example.com/collector, output_path: ${join(folder, 'build')}, version: 0.0.1 }`,
    'receivers:',
    module('receiver/otlpreceiver', COLLECTOR),
    'exporters:',
    `  - gomod: ${file} ${COLLECTOR}`,
    'providers:',
    module('confmap/provider/envprovider', CONFMAP),
    module('confmap/provider/fileprovider', CONFMAP),
  ];
  await writeFile(join(folder, 'builder.yaml'), `${lines.join('\n')}\n`);
  const builder = `go.opentelemetry.io/collector/cmd/builder@${COLLECTOR}`;
  await output('go', ['run', builder, '--config', 'builder.yaml'], { cwd: folder });
  return program;
}

/** Asks again until an answer is what was hoped for. @throws after a minute, with the last answer */
async function until<T>(ask: () => Promise<T>, isIt: (answer: T) => boolean): Promise<T> {
  const endMs = performance.now() + 60_000;
  for (;;) {
    const answer = await ask().catch((thrown: unknown) => thrown as T);
    if (!(answer instanceof Error) && isIt(answer)) return answer;
    if (performance.now() > endMs) throw new Error(`waited for a minute; the last answer: ${JSON.stringify(answer)}`);
    await pause(100);
  }
}

function start(program: string, args: readonly string[], cwd: string): ChildProcess {
  const child = spawn(program, args, { cwd, stdio: 'ignore' });
  running.add(child);
  return child;
}

async function stop(child: ChildProcess): Promise<void> {
  child.kill('SIGTERM');
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  running.delete(child);
}

/** A lake of two days that are long over, one data file of which is lost. */
async function staleLake(cwd: string): Promise<string[]> {
  const flags = ['--lake', join(cwd, 'lake')];
  await runJson(['backfill', '--base-url', simulator.url, '--from', '2026-11-10', '--to', '2026-11-11', ...flags]);
  const day = join(cwd, 'lake/events/event_date=2026-11-10');
  for (const name of await readdir(day)) await rm(join(day, name));
  return flags;
}

const PIPELINE = `
import { definePipeline } from 'edrlake';

export default definePipeline({
  name: 'yearly',
  schedule: { cron: '0 0 1 1 *', timeZone: 'UTC' },
  tasks: { fetch: { uses: 'backfill', with: { from: '2026-11-11', to: '2026-11-11' } } },
});
`;

definePart<Kit>(
  'monitoring',
  async (folder) => {
    await installPrometheus();
    return { folder, collector: await buildCollector(folder) };
  },
  (kit) => {
    test('promtool understands the rules and the configuration', async () => {
      await output('promtool', ['check', 'rules', 'alerts.yml'], { cwd: MONITORING });
      await output('promtool', ['check', 'config', 'prometheus.yml'], { cwd: MONITORING });
    });

    test('a reason of rejects that is new fires, one that was there a day ago does not, nor any on the first day', async () => {
      await output('promtool', ['test', 'rules', 'alerts-test.yml'], { cwd: join(TOP, 'test/services/monitoring') });
    });

    test('Prometheus scrapes both servers, the rules fire on a stale lake, and each panel has a valid question', async () => {
      await inFreshDirectory(async (cwd) => {
        const flags = await staleLake(cwd);
        await mkdir(join(cwd, 'pipelines'));
        await writeFile(join(cwd, 'pipelines/yearly.ts'), PIPELINE);
        const [page, metrics, own] = [await freePort(), await freePort(), await freePort()];
        const serve = startCommand(['serve', '--port', String(page), ...flags], { cwd });
        const args = ['--base-url', simulator.url, '--metrics-port', String(metrics), '--lake', join(cwd, 'other')];
        const schedule = startCommand(['schedule', ...args], { cwd });
        await schedule.said('yearly: next run at');
        // Without waiting for minutes; everything else as it is shipped.
        const rules = (await readFile(join(MONITORING, 'alerts.yml'), 'utf8')).replaceAll(/for: \d+m/g, 'for: 0s');
        const shipped = await readFile(join(MONITORING, 'prometheus.yml'), 'utf8');
        const config = shipped
          .replace('scrape_interval: 60s', 'scrape_interval: 1s\n  evaluation_interval: 1s')
          .replace('targets: ["127.0.0.1:8090"]', `targets: ["127.0.0.1:${page}", "127.0.0.1:${metrics}"]`);
        await writeFile(join(cwd, 'alerts.yml'), rules);
        await writeFile(join(cwd, 'prometheus.yml'), config);
        const listens = [`--web.listen-address=127.0.0.1:${own}`, `--storage.tsdb.path=${join(cwd, 'data')}`];
        const prometheus = start('prometheus', ['--config.file=prometheus.yml', ...listens], cwd);
        try {
          const ask = async (path: string) =>
            (await (await fetch(`http://127.0.0.1:${own}/api/v1/${path}`)).json()) as Answer;
          const firing = (answer: Answer) =>
            (answer.data.alerts ?? []).filter(({ state }) => state === 'firing').map(({ labels }) => labels.alertname);
          const wanted = ['EdrlakeStale', 'EdrlakeFilesLost', 'EdrlakeDaysDisagree'];
          await until(
            () => ask('alerts'),
            (answer) => wanted.every((name) => firing(answer).includes(name)),
          );
          const counted = encodeURIComponent('sum(edrlake_runs_total{pipeline="yearly",state="done"})');
          const runs = await until(
            () => ask(`query?query=${counted}`),
            ({ data }) => (data.result?.length ?? 0) > 0,
          );
          expect(runs.data.result?.[0]?.value?.[1]).toBe('1');
          for (const question of await questionsOfPanels()) {
            expect(await ask(`query?query=${encodeURIComponent(question)}`), question).toMatchObject({
              status: 'success',
            });
          }
        } finally {
          await stop(prometheus);
          serve.kill('SIGTERM');
          schedule.kill('SIGTERM');
          await Promise.all([serve.ended, schedule.ended]);
        }
      });
    }, 180_000);

    test('a collector gets the spans of a command as one tree, and its metrics', async () => {
      await inFreshDirectory(async (cwd) => {
        const port = await freePort();
        const file = join(cwd, 'received.json');
        await writeFile(join(cwd, 'collector.yaml'), collectorConfig(port, file));
        const collector = start(kit().collector, ['--config', `file:${join(cwd, 'collector.yaml')}`], cwd);
        try {
          await until(
            () => fetch(`http://127.0.0.1:${port}/v1/traces`, { method: 'POST' }),
            () => true,
          );
          const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` };
          const range = ['--from', '2026-11-10', '--to', '2026-11-11'];
          const ended = await runCommand(['backfill', '--base-url', simulator.url, ...range, '--telemetry', 'otlp'], {
            cwd,
            env,
          });
          expect(ended).toMatchObject({ exitCode: 0 });
          const received = await until(
            async () =>
              (await readFile(file, 'utf8'))
                .trim()
                .split('\n')
                .map((line) => JSON.parse(line) as Received),
            (lines) =>
              lines.some(({ resourceMetrics }) => resourceMetrics) && lines.some(({ resourceSpans }) => resourceSpans),
          );
          const spans = received.flatMap(({ resourceSpans = [] }) =>
            resourceSpans.flatMap((of) => of.scopeSpans.flatMap((scope) => scope.spans)),
          );
          const names = new Map(spans.map(({ spanId, name }) => [spanId, name]));
          const edges = new Set(
            spans.map(({ parentSpanId = '', name }) => `${names.get(parentSpanId) ?? ''} > ${name}`),
          );
          expect([...edges].toSorted()).toEqual([
            ' > edrlake backfill',
            'edrlake backfill > commit',
            'edrlake backfill > flatten and commit',
            'edrlake backfill > plan',
            'edrlake backfill > window',
            'window > page',
          ]);
          const metrics = received.flatMap(({ resourceMetrics = [] }) =>
            resourceMetrics.flatMap((of) => of.scopeMetrics.flatMap((scope) => scope.metrics)),
          );
          const events = metrics.find(({ name }) => name === 'edrlake_events_total')?.sum?.dataPoints ?? [];
          const fresh = events.find(({ attributes }) => attributes.some(({ value }) => value.stringValue === 'new'));
          expect(Number(fresh?.asDouble ?? fresh?.asInt)).toBe(EVENTS);
          expect(metrics.map(({ name }) => name)).toEqual(
            expect.arrayContaining(['edrlake_proven_age_seconds', 'edrlake_lake_rows']),
          );
        } finally {
          await stop(collector);
        }
      });
    }, 120_000);
  },
);

/** As far as it is used here. */
interface Answer {
  readonly status: string;
  readonly data: {
    readonly alerts?: readonly { readonly state: string; readonly labels: { readonly alertname: string } }[];
    readonly result?: readonly { readonly value?: readonly [number, string] }[];
  };
}

/** A line of the collector's file, as far as it is used here. */
interface Received {
  readonly resourceSpans?: readonly {
    readonly scopeSpans: readonly {
      readonly spans: readonly { readonly spanId: string; readonly parentSpanId?: string; readonly name: string }[];
    }[];
  }[];
  readonly resourceMetrics?: readonly {
    readonly scopeMetrics: readonly { readonly metrics: readonly ReceivedMetric[] }[];
  }[];
}

interface ReceivedMetric {
  readonly name: string;
  readonly sum?: {
    readonly dataPoints: readonly {
      readonly asInt?: string;
      readonly asDouble?: number;
      readonly attributes: readonly { readonly value: { readonly stringValue?: string } }[];
    }[];
  };
}

/** What the panels of the dashboard ask; all of it is about metrics that exist. */
async function questionsOfPanels(): Promise<string[]> {
  const dashboard = JSON.parse(await readFile(join(MONITORING, 'grafana.json'), 'utf8')) as {
    panels: { targets: { expr: string }[] }[];
  };
  const questions = dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));
  const counters = new Set(questions.flatMap((question) => question.match(/edrlake_\w+_total/g) ?? []));
  expect(Object.keys(RUN_COUNTERS)).toEqual(expect.arrayContaining([...counters]));
  return questions;
}

function collectorConfig(port: number, file: string): string {
  return `receivers: { otlp: { protocols: { http: { endpoint: 127.0.0.1:${port} } } } }
exporters: { file: { path: ${file}, flush_interval: 200ms } }
service:
  telemetry: { metrics: { level: none } }
  pipelines:
    metrics: { receivers: [otlp], exporters: [file] }
    traces: { receivers: [otlp], exporters: [file] }
`;
}

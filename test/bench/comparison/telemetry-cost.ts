import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Spread, spreadBy } from '../figures/spread.ts';
import type { Target } from '../figures/targets.ts';
import { numberText, spreadText, tableText } from '../figures/text.ts';
import { freshFolder, type Stage } from './stage.ts';

/** What `--telemetry otlp` adds to an export. */
export interface TelemetryCost {
  /** CPU time with it over that without it, of runs one after the other. */
  readonly cpuRatio: Spread;
  /** Requests that the receiver got, of all runs with it. */
  readonly received: number;
}

const PAIRS = 5;

const WORDS = { off: [], on: ['--telemetry', 'otlp'] } as const;

/** Exports everything into new lakes, with and without telemetry in turns, to a receiver that reads and forgets. */
export async function measureTelemetry(stage: Stage): Promise<TelemetryCost> {
  let received = 0;
  const receiver = createServer((request, response) => {
    received += 1;
    request.resume().on('end', () => response.writeHead(200, { 'content-type': 'application/x-protobuf' }).end());
  });
  receiver.listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  const { port } = receiver.address() as AddressInfo;
  const env = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}` };
  const run = async (words: readonly string[]) => {
    await stage.gateway.take(false);
    const lake = await freshFolder(stage, 'telemetry');
    return (await stage.edrlake(['backfill', ...stage.range, ...words], lake, { env })).cpuSeconds;
  };
  try {
    const pairs: Record<keyof typeof WORDS, number>[] = [];
    for (let pair = 0; pair < PAIRS; pair += 1) {
      const taken = { off: 0, on: 0 };
      const order = pair % 2 === 0 ? (['off', 'on'] as const) : (['on', 'off'] as const);
      for (const which of order) taken[which] = await run(WORDS[which]);
      pairs.push(taken);
    }
    return { cpuRatio: spreadBy(pairs, ({ off, on }) => on / off), received };
  } finally {
    receiver.closeAllConnections();
    receiver.close();
  }
}

/** A line to print. */
export function telemetryText({ cpuRatio, received }: TelemetryCost): string {
  return tableText(
    ['telemetry', 'CPU time over that without', 'requests to the receiver'],
    [['--telemetry otlp', spreadText(cpuRatio), numberText(received)]],
  );
}

/** The target for telemetry. */
export function telemetryTargets({ cpuRatio }: TelemetryCost, events: number): Target[] {
  const target = { name: `CPU time with telemetry / without at ${numberText(events)}`, measured: cpuRatio.median };
  const reason = 'on a busy machine pairs differ by more than 3 %; on a quiet one it was 0.98 to 1.03.';
  return [{ ...target, bound: 'at most', limit: 1.03, unit: '×', reason }];
}

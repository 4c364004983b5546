import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SimulatorOptions } from '@edrlake/simulator';
import type { GatewayOrder, GatewayReply, GatewaySetting, Served } from './served.ts';

/** A gateway in a separate process. */
export interface Gateway {
  readonly url: string;
  /**
   * What was served since the last call.
   * @param keepForwarded whether answers to new requests are recorded from now on; not for requests that are new each
   * time, such as those that end now
   */
  take(keepForwarded?: boolean): Promise<Served>;
  close(): Promise<void>;
}

/** Starts a gateway that serves, or first records, the answers of a simulated one with these options. */
export async function startGateway(workFolder: string, simulator: SimulatorOptions): Promise<Gateway> {
  const recordingFolder = join(workFolder, 'recordings', recordingName(simulator));
  const setting: GatewaySetting = { recordingFolder, simulator };
  const child = fork(fileURLToPath(new URL('./replay-gateway.js', import.meta.url)), [JSON.stringify(setting)]);
  const replies: GatewayReply[] = [];
  let wake: () => void = () => {};
  let hasEnded = false;
  child.on('message', (message) => {
    replies.push(message as GatewayReply);
    wake();
  });
  child.once('exit', () => {
    hasEnded = true;
    wake();
  });
  const next = async (): Promise<GatewayReply> => {
    for (;;) {
      const reply = replies.shift();
      if (reply !== undefined) return reply;
      if (hasEnded) throw new Error('the gateway has ended');
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
  };
  const send = (order: GatewayOrder) => child.send(order);
  const ready = await next();
  if (ready.type !== 'ready') throw new Error('the gateway did not say where it is');
  return {
    url: ready.url,
    async take(keepForwarded = true) {
      send({ type: 'take', keepForwarded });
      const reply = await next();
      if (reply.type !== 'served') throw new Error('the gateway did not say what it served');
      return reply.served;
    },
    async close() {
      const ended = once(child, 'exit');
      send({ type: 'close' });
      await ended;
    },
  };
}

/** One recording for each kind of data, and for each version of the program that makes it. */
function recordingName(options: SimulatorOptions): string {
  const folder = fileURLToPath(new URL('.', import.meta.resolve('@edrlake/simulator')));
  const hash = createHash('sha256').update(JSON.stringify(options));
  const sources = readdirSync(folder).filter((name) => name.endsWith('.js'));
  for (const name of sources.sort()) hash.update(readFileSync(join(folder, name)));
  return `${options.events}-${hash.digest('hex').slice(0, 12)}`;
}

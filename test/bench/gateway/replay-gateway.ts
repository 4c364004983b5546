import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type Simulator, type SimulatorOptions, startSimulator } from '@edrlake/simulator';
import { Agent } from 'undici';
import { openRecording, type RecordedAnswer, type Recording } from './recording.ts';
import type { GatewayOrder, GatewayReply, GatewaySetting, Served } from './served.ts';

// A separate process: serves recorded answers at the speed of the socket. A request without a recorded answer is
// forwarded to a simulated gateway, which is started at the first such request, and counted. Orders come from the
// parent process.

/** Headers that a client may learn from; those of the connection itself are created again. */
const KEPT_HEADERS = ['content-type', 'content-encoding', 'vary', 'searchaftervalues'];

/** Sent to clients. Forwarded requests carry the simulator's own token. */
const TOKEN = 'recorded-answers-need-no-token';

/** A simulated gateway that is started when it is first needed. */
function forwarder(options: SimulatorOptions) {
  const agent = new Agent({ connections: 8 });
  let started: Promise<{ readonly simulator: Simulator; readonly token: string }> | null = null;
  const start = async () => {
    const simulator = await startSimulator(options);
    const { body } = await agent.request({
      origin: simulator.url,
      path: '/auth',
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: 'username=demo&password=demo&token=true&permissions=true',
    });
    return { simulator, token: await body.text() };
  };
  return {
    async forward(request: IncomingMessage): Promise<RecordedAnswer> {
      started ??= start();
      const { simulator, token } = await started;
      const answer = await agent.request({
        origin: simulator.url,
        path: request.url ?? '/',
        method: 'GET',
        headers: {
          authorization: `Bearer ${token}`,
          'accept-encoding': String(request.headers['accept-encoding'] ?? 'identity'),
        },
      });
      const headers = KEPT_HEADERS.flatMap((name) => {
        const value = answer.headers[name];
        return typeof value === 'string' ? [[name, value] as const] : [];
      });
      const body = Buffer.from(await answer.body.arrayBuffer());
      return { status: answer.statusCode, headers: Object.fromEntries(headers), body };
    },
    async close() {
      await agent.close();
      if (started !== null) await (await started).simulator.close();
    },
  };
}

function tally(): { served: Served; reset(): void; taken(): Served } {
  const none = () => ({ logins: 0, pages: [], others: 0, forwarded: 0, bodyBytes: 0, cpuSeconds: 0 });
  let cpu = process.cpuUsage();
  const book = {
    served: none() as Served,
    reset() {
      book.served = none();
      cpu = process.cpuUsage();
    },
    taken(): Served {
      const { user, system } = process.cpuUsage(cpu);
      return { ...book.served, cpuSeconds: (user + system) / 1e6 };
    },
  };
  return book;
}

/** `[]`. */
const EMPTY_PAGE_BYTES = 2;

/** @param keep whether a forwarded answer is recorded */
async function answerOf(
  request: IncomingMessage,
  recording: Recording,
  forward: (request: IncomingMessage) => Promise<RecordedAnswer>,
  served: Served,
  keep: boolean,
): Promise<RecordedAnswer> {
  const path = request.url ?? '/';
  if (path === '/auth') {
    served.logins += 1;
    return { status: 201, headers: { 'content-type': 'text/plain' }, body: Buffer.from(TOKEN) };
  }
  const counted = (answer: RecordedAnswer) => {
    // What is behind a full last page is asked for, and holds nothing that a contestant could fetch.
    if (/^[^?]*\/events\?/.test(path) && answer.body.length > EMPTY_PAGE_BYTES) served.pages.push(path);
    else served.others += 1;
    return answer;
  };
  const encoding = /\bgzip\b/.test(String(request.headers['accept-encoding'] ?? '')) ? 'gzip' : 'identity';
  const key = `${request.method} ${path} ${encoding}`;
  const known = await recording.get(key);
  if (known !== null) return counted(known);
  served.forwarded += 1;
  const answer = await forward(request);
  if (keep) await recording.put(key, answer);
  return counted(answer);
}

function send(response: ServerResponse, { status, headers, body }: RecordedAnswer): void {
  response.writeHead(status, { ...headers, 'content-length': body.length });
  response.end(body);
}

async function serve(setting: GatewaySetting): Promise<void> {
  const recording = await openRecording(setting.recordingFolder);
  const simulated = forwarder(setting.simulator);
  const book = tally();
  let keep = true;
  const server = createServer((request, response) => {
    request.resume();
    answerOf(request, recording, simulated.forward, book.served, keep).then(
      (answer) => {
        book.served.bodyBytes += answer.body.length;
        send(response, answer);
      },
      () => response.destroy(),
    );
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const reply = (message: GatewayReply) => process.send?.(message);
  let isClosing = false;
  const close = async () => {
    server.close();
    server.closeAllConnections();
    await simulated.close();
    await recording.close();
    process.exit();
  };
  const end = () => {
    if (!isClosing) void close();
    isClosing = true;
  };
  process.on('message', (order: GatewayOrder) => {
    if (order.type === 'close') return end();
    keep = order.keepForwarded;
    const served = book.taken();
    book.reset();
    reply({ type: 'served', served });
  });
  // Ctrl-C ends the measuring process and reaches this one as well: what was recorded is worth keeping.
  process.on('SIGINT', () => {});
  process.once('disconnect', end);
  reply({ type: 'ready', url: `http://127.0.0.1:${(server.address() as AddressInfo).port}` });
}

await serve(JSON.parse(process.argv[2] ?? '{}') as GatewaySetting);

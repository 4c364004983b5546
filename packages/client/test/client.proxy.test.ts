import { createServer, type Server } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { EdrlakeError, seededRandom, systemClock } from '@edrlake/core';
import { afterEach, describe, expect, it } from 'vitest';
import { createGatewayClient } from '../src/qualys/client.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

/** A proxy that does one thing with every CONNECT. @returns its port */
async function startProxy(onConnect: (socket: Socket) => void): Promise<number> {
  const server = createServer();
  servers.push(server);
  server.on('connect', (_, socket) => {
    socket.on('error', () => {});
    onConnect(socket as Socket);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return (server.address() as AddressInfo).port;
}

const answering = (status: number) => (socket: Socket) =>
  void socket.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`);

async function loginFailure(port: number): Promise<EdrlakeError> {
  const client = createGatewayClient(
    {
      baseUrl: 'https://gateway.example.invalid',
      username: 'u',
      password: 'account-secret',
      retryAttempts: 1,
      connectTimeoutMs: 300,
      proxy: {
        url: `http://127.0.0.1:${port}`,
        authorization: `Basic ${Buffer.from('ann:proxy-secret').toString('base64')}`,
        setting: 'HTTPS_PROXY',
        except: '',
      },
    },
    { clock: systemClock, random: seededRandom(1), emit: () => {} },
  );
  try {
    await client.login(AbortSignal.timeout(20_000));
  } catch (thrown) {
    if (thrown instanceof EdrlakeError) return thrown;
    throw thrown;
  } finally {
    await client.close();
  }
  throw new Error('expected a failure');
}

describe('a request through a proxy', () => {
  it.each([
    [407, 'PROXY_REFUSED', 'stop'],
    [403, 'PROXY_REFUSED', 'stop'],
    [502, 'HOST_UNREACHABLE', 'retry'],
    [504, 'HOST_UNREACHABLE', 'retry'],
    [429, 'HOST_UNREACHABLE', 'retry'],
  ])('that is answered with %i is %s', async (status, code, disposition) => {
    const port = await startProxy(answering(status));
    const error = await loginFailure(port);
    expect(error).toMatchObject({ code, disposition });
    expect(error.message).toContain(`the proxy http://127.0.0.1:${port}`);
    expect(`${error.message}${error.hint}${JSON.stringify(error.context)}`).not.toMatch(/proxy-secret|account-secret/);
  });

  it('that is not running is not a gateway that is not running', async () => {
    const port = await startProxy(answering(200));
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
    expect(await loginFailure(port)).toMatchObject({
      code: 'PROXY_UNREACHABLE',
      disposition: 'retry',
      message: expect.stringContaining(`http://127.0.0.1:${port}: the connection was refused (ECONNREFUSED)`),
    });
  });

  it('that is never answered ends with the connect timeout', async () => {
    const error = await loginFailure(await startProxy(() => {}));
    expect(error).toMatchObject({ code: 'PROXY_UNREACHABLE', disposition: 'retry' });
    expect(error.message).toContain('no answer in time');
  });

  it('that is cut off may be tried again', async () => {
    let asked = 0;
    const port = await startProxy((socket) => {
      asked += 1;
      socket.destroy();
    });
    expect(await loginFailure(port)).toMatchObject({ code: 'PROXY_UNREACHABLE', disposition: 'retry' });
    expect(asked).toBe(1);
  });
});

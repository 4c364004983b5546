import { describe, expect, it } from 'vitest';
import { connect, failureOf, grantToken, json, NEVER, startGateway, status } from './gateway.ts';

const CLIENT = { clientId: 'client-1', clientSecret: 's3cr3t/of+the=client' };
const COUNT = json('{"count":1}');
const REFUSED = status(401, '{"authentication_exceptions":["InvalidCredentialsException"]}');

describe('an OAuth client', () => {
  it.each([
    ['user', '/auth/oidc'],
    ['subscription', '/auth/oauth'],
  ] as const)('of %s level sends id and secret as headers of an empty form to %s', async (oauthLevel, path) => {
    const gateway = await startGateway({ data: [COUNT] });
    const { client } = connect(gateway.url, { ...CLIENT, oauthLevel });
    expect((await client.login(NEVER)).path).toBe(path);
    expect(client.accountName).toBe('client-1');
    const [login] = gateway.logins();
    expect(login).toMatchObject({ method: 'POST', path, body: '' });
    expect(login?.headers).toMatchObject({
      'content-type': 'application/x-www-form-urlencoded',
      clientid: CLIENT.clientId,
      clientsecret: CLIENT.clientSecret,
    });
    await client.count({}, NEVER);
    expect(gateway.logins()).toHaveLength(1);
  });

  it.each([
    ['refuses it', REFUSED],
    ['does not exist', status(404, 'no such resource')],
  ])(
    'of unknown level is tried for the subscription where the endpoint of users %s, once for all',
    async (_, first) => {
      const gateway = await startGateway({ auth: [first, grantToken()], data: [status(401), COUNT] });
      const { client } = connect(gateway.url, CLIENT);
      await Promise.all([client.count({}, NEVER), client.count({}, NEVER)]);
      // The renewal after the 401 goes where the first token came from.
      expect(gateway.logins().map(({ path }) => path)).toEqual(['/auth/oidc', '/auth/oauth', '/auth/oauth']);
    },
  );

  it('that both endpoints refuse is never tried again, and its variables are named', async () => {
    const gateway = await startGateway({ auth: [REFUSED] });
    const { client } = connect(gateway.url, CLIENT);
    const failures = [await failureOf(client.count({}, NEVER)), await failureOf(client.login(NEVER))];
    expect(failures.map(({ code }) => code)).toEqual(['AUTH_REJECTED', 'AUTH_REJECTED']);
    expect(failures[0]?.hint).toContain('Check EDRLAKE_CLIENT_ID, EDRLAKE_CLIENT_SECRET_FILE and the platform');
    expect(gateway.logins()).toHaveLength(2);
  });

  it('is not tried at the other endpoint after a failure that says nothing about it', async () => {
    const gateway = await startGateway({ auth: [status(503), grantToken()], data: [COUNT] });
    await connect(gateway.url, CLIENT).client.count({}, NEVER);
    expect(gateway.logins().map(({ path }) => path)).toEqual(['/auth/oidc', '/auth/oidc']);
  });

  it('never has its secret in a message', async () => {
    const gateway = await startGateway({
      data: [(request, response) => response.writeHead(400).end(`bad: ${CLIENT.clientSecret} ${request.rawQuery}`)],
    });
    const failure = await failureOf(connect(gateway.url, CLIENT).client.count({}, NEVER));
    expect(JSON.stringify([failure.message, failure.hint, failure.context])).not.toContain(CLIENT.clientSecret);
  });

  it.each([{ clientId: '' }, { clientSecret: '' }, { clientSecret: 'two words' }, { clientId: 'a\nb' }])(
    'that cannot be sent is refused before a request: %j',
    async (wrong) => {
      expect(() => connect('http://127.0.0.1:1', { ...CLIENT, ...wrong })).toThrow(
        expect.objectContaining({ code: 'CREDENTIALS_MISSING', exitCode: 2 }),
      );
    },
  );
});

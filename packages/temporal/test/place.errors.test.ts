import { describe, expect, it } from 'vitest';
import { serverError } from '../src/client/place.ts';

const PLACE = { address: 'temporal:7233', namespace: 'edr', taskQueue: 'edrlake', tls: null, apiKey: 'secret' };

/** As the client of Temporal throws it: what the server answered is the cause. */
const notConnected = (answer: { readonly code: number; readonly details: string }) =>
  new Error('Failed to connect to Temporal server', { cause: Object.assign(new Error(answer.details), answer) });

describe('what a Temporal server or the way to it answers is said in words', () => {
  it.each([
    [notConnected({ code: 16, details: 'no such key' }), 'CONFIG_INVALID', 'refuses this client'],
    [notConnected({ code: 14, details: 'connection refused' }), 'HOST_UNREACHABLE', 'connection refused'],
    // A worker's own connection has no code.
    [
      new Error("Failed to call GetSystemInfo: code: 'The request does not have valid authentication credentials'"),
      'CONFIG_INVALID',
      'refuses this client',
    ],
    [Object.assign(new Error('5'), { code: 5, details: 'Namespace edr is not found.' }), 'CONFIG_INVALID', 'namespace'],
  ])('%s', (thrown, code, words) => {
    expect(serverError(thrown, PLACE)).toMatchObject({ code, message: expect.stringContaining(words) });
  });
});

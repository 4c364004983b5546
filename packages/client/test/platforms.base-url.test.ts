import { EdrlakeError } from '@edrlake/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PLATFORMS, resolveBaseUrl } from '../src/index.ts';

function refusal(work: () => unknown): EdrlakeError {
  try {
    work();
  } catch (thrown) {
    if (thrown instanceof EdrlakeError) return thrown;
  }
  return expect.fail('expected an EdrlakeError');
}

describe('a platform id', () => {
  it.each(Object.entries(PLATFORMS))('%s is its gateway, in any case', (id, host) => {
    expect(resolveBaseUrl({ platform: id })).toBe(`https://${host}`);
    expect(resolveBaseUrl({ platform: ` ${id.toLowerCase()} ` })).toBe(`https://${host}`);
  });

  it('that is unknown is answered with the list and the nearest id', () => {
    const error = refusal(() => resolveBaseUrl({ platform: 'KSA' }));
    expect(error.code).toBe('CONFIG_INVALID');
    expect(error.message).toContain('Did you mean KSA1?');
    expect(error.hint).toContain('US1, US2');
    expect(refusal(() => resolveBaseUrl({ platform: 'somewhere' })).message).not.toContain('Did you mean');
    expect(refusal(() => resolveBaseUrl({ platform: 'constructor' })).code).toBe('CONFIG_INVALID');
  });
});

describe('a base URL', () => {
  it.each([
    ['https://gateway.qg2.apps.qualys.com/', 'https://gateway.qg2.apps.qualys.com'],
    ['gateway.qg2.apps.qualys.com', 'https://gateway.qg2.apps.qualys.com'],
    ['HTTPS://QualysGateway.Bank.Example:8443', 'https://qualysgateway.bank.example:8443'],
    ['http://127.0.0.1:8080', 'http://127.0.0.1:8080'],
    ['http://127.9.8.7', 'http://127.9.8.7'],
    ['http://localhost:1', 'http://localhost:1'],
    ['http://[::1]:1/', 'http://[::1]:1'],
  ])('%s becomes %s', (given, expected) => {
    expect(resolveBaseUrl({ baseUrl: given })).toBe(expected);
  });

  it.each([
    'http://gateway.qg2.apps.qualys.com',
    'http://127.0.0.1.example.com',
    'http://localhost.example.com',
    'http://10.0.0.1',
    'ftp://127.0.0.1',
    'https://gateway.qg2.apps.qualys.com/ioc',
    'https://gateway.qg2.apps.qualys.com/?a=b',
    'https://',
    'https://a b',
  ])('%s is refused', (given) => {
    expect(refusal(() => resolveBaseUrl({ baseUrl: given })).code).toBe('URL_INVALID');
  });

  it.each([
    ['qualysapi.qualys.com', 'gateway.qg1.apps.qualys.com'],
    ['https://qualysguard.qualys.com/fo/login.php', 'gateway.qg1.apps.qualys.com'],
    ['https://qualysapi.qualys.eu', 'gateway.qg1.apps.qualys.eu'],
    ['https://qualysguard.qg2.apps.qualys.com', 'gateway.qg2.apps.qualys.com'],
    ['https://qualysapi.gov1.qualys.us', 'gateway.gov1.qualys.us'],
    ['https://qualysapi.bank.example', 'qualysgateway.bank.example'],
  ])('%s is answered with the gateway that belongs to it', (given, gateway) => {
    const error = refusal(() => resolveBaseUrl({ baseUrl: given }));
    expect(error.code).toBe('URL_INVALID');
    expect(error.hint).toContain(`https://${gateway}`);
  });

  it('with credentials is refused without showing them', () => {
    const error = refusal(() => resolveBaseUrl({ baseUrl: 'https://me:hunter22@gateway.example' }));
    expect(`${error.message}${error.hint}`).not.toContain('hunter22');
  });

  it('is never plain http to another host, with any pasted text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.webUrl(), fc.domain(), fc.ipV4(), fc.string()), (text) => {
        let resolved: string;
        try {
          resolved = resolveBaseUrl({ baseUrl: text });
        } catch {
          return;
        }
        const { protocol, hostname } = new URL(resolved);
        expect(protocol === 'https:' || /^127\.|^localhost$|^\[::1\]$/.test(hostname)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});

it('needs exactly one of platform and base URL', () => {
  expect(refusal(() => resolveBaseUrl({})).code).toBe('CONFIG_INVALID');
  expect(refusal(() => resolveBaseUrl({ platform: 'US1', baseUrl: 'https://a.example' })).code).toBe('CONFIG_INVALID');
});

import { describe, expect, it } from 'vitest';
import { proxySecrets, readProxy } from '../src/process/proxy-environment.ts';

const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;

describe('the proxy of the environment', () => {
  it.each([
    [{}, null],
    [{ HTTPS_PROXY: '', https_proxy: ' ' }, null],
    [{ HTTPS_PROXY: 'http://a:1' }, { url: 'http://a:1', setting: 'HTTPS_PROXY', authorization: null, except: '' }],
    [
      { HTTPS_PROXY: 'http://a:1', https_proxy: 'http://b:2' },
      { url: 'http://b:2', setting: 'https_proxy' },
    ],
    [
      { HTTP_PROXY: 'http://a:1', ALL_PROXY: 'http://b:2' },
      { url: 'http://b:2', setting: 'ALL_PROXY' },
    ],
    [{ http_proxy: 'a:1' }, { url: 'http://a:1', setting: 'http_proxy' }],
    [{ HTTPS_PROXY: 'https://a/' }, { url: 'https://a' }],
    [{ HTTPS_PROXY: 'http://[::1]:3128' }, { url: 'http://[::1]:3128' }],
    [{ HTTPS_PROXY: 'http://ann:p%40s:x@a:1' }, { url: 'http://a:1', authorization: basic('ann:p@s:x') }],
    [{ HTTPS_PROXY: 'http://ann@a:1' }, { authorization: basic('ann:') }],
    [{ HTTPS_PROXY: 'http://DOM%5Cann:ü@a:1' }, { authorization: basic('DOM\\ann:ü') }],
    [{ HTTPS_PROXY: 'http://a:1', NO_PROXY: 'x', no_proxy: 'y' }, { except: 'y' }],
  ])('of %j', (env, expected) => {
    if (expected === null) expect(readProxy(env)).toBeNull();
    else expect(readProxy(env)).toMatchObject(expected);
  });

  it.each([
    ['socks5://ann:w0rd@proxy:1080', 'the scheme socks5'],
    ['http://ann:w0r/d@proxy:3128', 'no URL'],
    ['http://ann:12/w0rd@proxy:3128', 'no URL'],
    ['http://ann:w0r#d@proxy:3128', 'no URL'],
    ['http://ann:w0r?d@proxy:3128', 'no URL'],
    ['http://ann:%w0rd@proxy:3128', 'a % that'],
    ['http://', 'no URL'],
    ['http://proxy:99999', 'no URL'],
    ['http://proxy:3128/path', 'no URL'],
  ])('%s is refused and not shown', (text, found) => {
    let error: unknown;
    try {
      readProxy({ HTTPS_PROXY: text });
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', exitCode: 2 });
    expect(String(error)).toContain('HTTPS_PROXY: expected the URL of a proxy');
    expect(String(error)).toContain(found);
    expect(String(error)).not.toMatch(/w0r|ann/);
  });

  it('has secrets in all the forms they may be written in', () => {
    expect(proxySecrets({ HTTPS_PROXY: 'http://ann:p%40ss@a:1' })).toEqual(expect.arrayContaining(['p%40ss', 'p@ss']));
    expect(proxySecrets({ HTTPS_PROXY: 'http://ann:pa/ss@a:1' })).toEqual(expect.arrayContaining(['pa/ss']));
    expect(proxySecrets({ HTTPS_PROXY: 'http://proxy:3128' }).join('')).toBe('');
  });
});

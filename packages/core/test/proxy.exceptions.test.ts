import { describe, expect, it } from 'vitest';
import { type ProxySettings, proxyFor } from '../src/process/proxy.ts';

const proxy = (except: string): ProxySettings => ({
  url: 'http://proxy:3128',
  authorization: null,
  setting: 'HTTPS_PROXY',
  except,
});

const isProxied = (url: string, except: string) => proxyFor(url, proxy(except)) !== null;

describe('a proxy is gone through', () => {
  it.each([
    ['', 'https://gateway.example.com'],
    ['other.com, example.co', 'https://gateway.example.com'],
    ['ample.com', 'https://gateway.example.com'],
    ['gateway.example.com:8443', 'https://gateway.example.com'],
    ['10.0.0.0/8, 192.168.1.1', 'https://11.1.2.3'],
    ['10.0.0.0/8', 'https://gateway.example.com'],
    ['10.0.0.0/99 ::1/x /8 : [', 'https://10.1.2.3'],
    ['', 'https://127.example.com'],
  ])('with NO_PROXY=%s to %s', (except, url) => expect(isProxied(url, except)).toBe(true));
});

describe('a proxy is left out', () => {
  it.each([
    ['*', 'https://gateway.example.com'],
    ['a.com,*', 'https://gateway.example.com'],
    ['gateway.example.com', 'https://gateway.example.com'],
    ['GATEWAY.example.com', 'https://Gateway.Example.com'],
    ['.example.com', 'https://gateway.example.com'],
    ['*.example.com', 'https://gateway.example.com'],
    ['a.com  example.com', 'https://gateway.example.com'],
    ['example.com:443', 'https://gateway.example.com'],
    ['example.com:8443', 'https://gateway.example.com:8443'],
    ['10.1.2.3', 'https://10.1.2.3'],
    ['10.0.0.0/8', 'https://10.1.2.3'],
    ['fd00::/8', 'https://[fd12::1]'],
    ['[fd12::1]:443', 'https://[fd12::1]'],
    ['fd12::1', 'https://[fd12::1]'],
    ['', 'http://localhost:8080'],
    ['', 'http://gateway.localhost'],
    ['', 'http://127.0.0.1:8080'],
    ['', 'http://127.9.9.9'],
    ['', 'http://[::1]:8080'],
  ])('with NO_PROXY=%s to %s', (except, url) => expect(isProxied(url, except)).toBe(false));

  it('where none is set', () => expect(proxyFor('https://gateway.example.com', null)).toBeNull());
});

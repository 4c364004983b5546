import { readdir, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { readTokenFile } from '../src/index.ts';
import { askPage, sharedPage } from './serve-stage.ts';

const shared = sharedPage(50);

/** Sends a request exactly as given: `fetch` sets `Host` by itself and tidies up paths. */
function raw(
  url: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method = 'GET',
): Promise<{ readonly status: number; readonly headers: NodeJS.Dict<string | string[]>; readonly text: string }> {
  const { hostname, port, host } = new URL(url);
  return new Promise((resolve, reject) => {
    const sent = request({ hostname, port, path, method, headers: { host, ...headers } }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (chunk: string) => {
        text += chunk;
      });
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

it('refuses names of others, foreign origins, and everything that is not reading', async () => {
  const { url } = shared();
  const own = new URL(url).host;
  const statusOf = async (headers: Readonly<Record<string, string>>, method = 'GET', path = '/api/coverage') =>
    (await raw(url, path, headers, method)).status;
  // A name of an attacker that now means this machine.
  for (const host of ['evil.example', 'localhost.evil.example', '127.0.0.1.evil.example', 'evil.example:80']) {
    expect([host, await statusOf({ host })]).toEqual([host, 421]);
  }
  // Not even a name.
  expect(await statusOf({ host: 'a b' })).toBe(400);
  for (const host of [own, 'localhost', 'LOCALHOST:1234', '[::1]:8090']) expect(await statusOf({ host })).toBe(200);
  for (const origin of ['http://evil.example', `https://${own}`, 'null', 'http://localhost:1', `http://${own}.evil`]) {
    expect([origin, await statusOf({ origin })]).toEqual([origin, 403]);
    expect([origin, await statusOf({ origin }, 'POST', '/api/ask')]).toEqual([origin, 403]);
  }
  expect(await statusOf({ origin: `http://${own}` })).toBe(200);
  expect(await statusOf({ 'sec-fetch-site': 'cross-site' })).toBe(403);
  expect(await statusOf({ 'sec-fetch-site': 'same-site', 'sec-fetch-mode': 'no-cors' }, 'GET', '/')).toBe(403);
  expect(await statusOf({ 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'navigate' }, 'GET', '/')).toBe(200);
  for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']) {
    expect([method, await statusOf({}, method)]).toEqual([method, 405]);
    expect([method, await statusOf({}, method, '/')]).toEqual([method, 405]);
  }
});

it('serves only files of the page, with headers that allow no code of others', async () => {
  const { url } = shared();
  const page = await raw(url, '/');
  expect(page.status).toBe(200);
  const policy = String(page.headers['content-security-policy']);
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toMatch(/unsafe|\*|https?:/);
  expect(page.text).not.toMatch(/<script(?![^>]* src=)|<style| on\w+=|https?:\/\//);
  for (const path of [
    ...['/../../../../etc/passwd', '/..%2f..%2f..%2fetc/passwd', '/assets/../../package.json', '/%2e%2e/_lake.json'],
    ...['/assets/..%5c..%5cpackage.json', '/index.html%00.js', '//etc/passwd', '/_log', '/lake.duckdb', '/api/nothing'],
    ...['/api/runs/..%2f..%2f_lake', '/api/runs/%2fetc%2fpasswd', '/api/runs/nothing'],
  ]) {
    const answer = await raw(url, path);
    expect([path, answer.status]).toEqual([path, 404]);
    expect(answer.headers['x-content-type-options']).toBe('nosniff');
    expect(answer.text).not.toMatch(/root:|"name"|dataset/);
  }
  for (const day of ['2020-02-30', '2020-13-01', '..', "2020-08-17'--", '20200817']) {
    expect([day, (await raw(url, `/api/days/${encodeURIComponent(day)}`)).status]).toEqual([
      day,
      day === '..' ? 404 : 400,
    ]);
  }
  expect((await raw(url, `/api/coverage?${'a'.repeat(9_000)}`)).status).toBe(414);
  expect((await raw(url, `/api/coverage?${'a'.repeat(900_000)}`)).status).toBe(431);
  for (const hours of ['0', '-1', '1e9', '99999999', 'NaN', '745']) {
    expect([hours, (await raw(url, `/api/requests?hours=${hours}`)).status]).toEqual([hours, 400]);
  }
});

it('answers statements that only read, and only files of the lake', async () => {
  const { stage, url } = shared();
  const before = await readdir(stage.directory);
  const written = join(stage.directory, 'events', 'x.parquet');
  for (const sql of [
    ...["SELECT * FROM read_text('/etc/passwd')", "FROM read_csv('/proc/self/environ')", "FROM glob('/etc/*')"],
    ...[`COPY (SELECT 1) TO '${written}' (FORMAT parquet)`, `COPY (SELECT 1) TO '/tmp/edrlake-x.csv'`],
    ...[`EXPLAIN ANALYZE COPY (SELECT 1) TO '${written}' (FORMAT parquet)`],
    ...[`EXPORT DATABASE '${stage.directory}/out'`, `ATTACH '${stage.directory}/x.duckdb'`, 'DROP VIEW events'],
    ...['INSTALL httpfs', 'LOAD httpfs', 'SET enable_external_access = true', 'RESET lock_configuration'],
    ...['CREATE TABLE x AS SELECT 1', 'DELETE FROM commits', 'SELECT 1; SELECT 2', ';'],
    ...["FROM read_parquet('https://example.org/x.parquet')", 'PREPARE x AS SELECT 1; EXECUTE x'],
  ]) {
    const answer = await askPage(url, sql);
    expect([sql, answer.status]).toEqual([sql, 422]);
    expect(await answer.text()).not.toContain('root:');
    for (const format of ['csv', 'parquet']) {
      const file = await fetch(`${url}api/ask/${format}`, { method: 'POST', body: new URLSearchParams({ sql }) });
      expect([sql, format, file.status]).toEqual([sql, format, 422]);
    }
  }
  expect(await readdir(stage.directory)).toEqual(before);
  expect((await askPage(url, 'x'.repeat(60_000))).status).toBe(400);
  expect((await askPage(url, 'x'.repeat(201_000))).status).toBe(413);
  expect((await fetch(`${url}api/ask`, { method: 'POST', body: '{"sql":5}' })).status).toBe(400);
  expect((await fetch(`${url}api/ask/exe`, { method: 'POST', body: 'sql=x' })).status).toBe(404);
});

it('needs the token on an address that others reach, on every path', async () => {
  const { stage } = shared();
  await expect(stage.serve({ host: '0.0.0.0' })).rejects.toMatchObject({ code: 'USAGE' });
  const token = 'a-long-enough-token-of-words';
  const { url } = await stage.serve({ host: '0.0.0.0', token });
  const here = url.replace('0.0.0.0', '127.0.0.1');
  const basic = (text: string) => `Basic ${Buffer.from(text).toString('base64')}`;
  for (const path of ['/', '/api/coverage', '/api/live', '/metrics', '/nothing']) {
    const refused = await raw(here, path);
    expect([path, refused.status]).toEqual([path, 401]);
    expect(refused.text).not.toContain(token);
  }
  for (const authorization of [
    ...['Bearer', 'Bearer ', 'Bearer x', `Bearer ${token}x`, `Bearer ${token.slice(0, -1)}`, `Digest ${token}`, token],
    ...[basic(token), basic(`any:${token} `), basic('any:'), basic(''), 'Basic %%%', `Bearer ${'x'.repeat(8_000)}`],
  ]) {
    expect([authorization, (await raw(here, '/', { authorization })).status]).toEqual([authorization, 401]);
  }
  for (const authorization of [`Bearer ${token}`, `bearer ${token}`, basic(`any:${token}`), basic(`:${token}`)]) {
    expect((await raw(here, '/api/coverage', { authorization })).status).toBe(200);
  }
  const admitted = { authorization: `Bearer ${token}` };
  expect((await raw(here, '/api/coverage', { ...admitted, host: 'evil.example' })).status).toBe(421);
  expect((await raw(here, '/api/coverage', { ...admitted, host: '192.0.2.7:8090' })).status).toBe(200);
});

it('takes a token only from a file that no other user may read', async () => {
  const { stage } = shared();
  const file = join(stage.directory, '..', 'token');
  await writeFile(file, '  a-long-enough-token \n', { mode: 0o600 });
  expect(await readTokenFile(file)).toBe('a-long-enough-token');
  await writeFile(join(stage.directory, '..', 'open'), 'a-long-enough-token', { mode: 0o644 });
  await expect(readTokenFile(join(stage.directory, '..', 'open'))).rejects.toMatchObject({ code: 'USAGE' });
  await writeFile(file, 'short', { mode: 0o600 });
  await expect(readTokenFile(file)).rejects.toThrow('at least 16 characters');
  await expect(readTokenFile(`${file}-missing`)).rejects.toMatchObject({ code: 'USAGE' });
});

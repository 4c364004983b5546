import { readFile } from 'node:fs/promises';
import { describe, expect, test } from 'vitest';
import { type Indicator, readIndicators, recognise, refuseFaults } from '../src/indicators.ts';
import { LISTS } from './threat-lists.ts';

const MD5 = '44d88612fea8a8f36de82e1278abb02f';
const SHA1 = 'da39a3ee5e6b4b0d3255bfef95601890afd80709';
const SHA256 = '5568c34822415c88f5905c06439ffedcc012691f8a16e013c7410d99671d2d16';

const short = (indicator: Indicator | null) =>
  indicator === null
    ? null
    : `${indicator.kind} ${indicator.sought.map(({ observable, how, value }) => `${observable} ${how} ${value}`).join(', ')}`;

describe('one indicator', () => {
  test.each([
    [MD5.toUpperCase(), `md5 md5 equal ${MD5}`],
    [SHA1, `sha1 sha1 equal ${SHA1}`],
    [SHA256, `sha256 sha256 equal ${SHA256}`],
    ['10.1.2.3', 'ip ip equal 10.1.2.3'],
    ['10[.]1(.)2{.}3/32', 'ip ip equal 10.1.2.3'],
    ['10.1.0.0/16', 'network ip network 10.1.0.0/16'],
    ['FE80::1', 'ip ip network fe80::1/128'],
    ['2001:db8::/32', 'network ip network 2001:db8::/32'],
    ['Evil[.]Example.', 'domain domain subdomains evil.example, host equal evil.example'],
    ['*.evil.example', 'domain domain subdomains evil.example, host equal evil.example'],
    ['bücher.example', 'domain domain subdomains bücher.example, host equal bücher.example'],
    ['hxxps[://]user@evil[dot]example:8443/a?b', 'url domain subdomains evil.example, host equal evil.example'],
    ['http://[2001:db8::7]/x', 'url ip network 2001:db8::7/128'],
    ['command.com', 'domain domain subdomains command.com, host equal command.com, file equal command.com'],
    ['invoice 12.PDF.exe', 'file file equal invoice 12.pdf.exe'],
    ['invoice*.exe', 'file file wildcard invoice*.exe'],
    ['C:\\Windows\\Temp\\?.dll', 'path path wildcard c:\\windows\\temp\\?.dll'],
    ['/usr/bin/nc', 'path path equal /usr/bin/nc'],
    ['WS-001', 'host host equal ws-001'],
    ['host:a.b', 'host host equal a.b'],
    ['event:RTF_7a1f_55', 'event event equal rtf_7a1f_55'],
    ['cert:-123', 'certificate certificate equal -123'],
    ['7a1f61a2-1b5e-4a52-9d4c-3a6e3f3a6f10', 'agent agent equal 7a1f61a2-1b5e-4a52-9d4c-3a6e3f3a6f10'],
  ])('%s', (text, expected) => expect(short(recognise(text))).toBe(expected));

  test.each(['', '???!', '10.1.2.3/33', '10.1.2.300/8 x', 'md5:xyz', 'http://', 'constructor:x y'])(
    'none: %j',
    (text) => expect(recognise(text)).toBeNull(),
  );
});

describe('a list', () => {
  test('of text names the lines that are no indicator', () => {
    const list = readIndicators(`\uFEFF# hunted\n${MD5}\r\n\n"evil[.]example", # c2\n!!\n${MD5}\n`);
    expect(list.format).toBe('text');
    expect(list.indicators.map(({ text }) => text)).toEqual([MD5, 'evil.example']);
    expect(list.faults).toEqual([
      { place: 'line 5', found: '!!', problem: 'no hash, address, domain, file, path or host' },
    ]);
    expect(() => refuseFaults('list.txt', list.faults)).toThrow(/list\.txt: 1 not understood\n {2}line 5: /);
    expect(() => refuseFaults('list.txt', [])).not.toThrow();
  });

  test('of CSV takes the columns that hold indicators, quoted or not', () => {
    const list = readIndicators(
      `date;Indicator Value;note\n2026-01-01;"evil.example";"a;""b"""\n2026-01-02;;x\n2026-01-03;${SHA1};\n`,
    );
    expect(list.format).toBe('csv');
    expect(list.indicators.map(({ text }) => text)).toEqual(['evil.example', SHA1]);
    expect(list.faults.map(({ place }) => place)).toEqual(['line 3']);
  });

  test('of JSON texts, and OpenIOC', () => {
    expect(readIndicators(`["${MD5}", 5]`)).toMatchObject({
      ...{ format: 'json', indicators: [{ kind: 'md5' }], faults: [{ place: '[1]' }] },
    });
    const item = (search: string, content: string) =>
      `<IndicatorItem id="1" condition="is">\n<Context document="FileItem" search="${search}" type="mir" />\n<Content type="string">${content}</Content></IndicatorItem>`;
    const list = readIndicators(
      `<?xml version="1.0"?><ioc>${item('FileItem/Md5sum', MD5)}${item('FileItem/FileName', 'a&amp;b.exe')}${item('RegistryItem/Path', 'x')}</ioc>`,
    );
    expect(list.format).toBe('openioc');
    expect(list.indicators.map(({ kind, text }) => `${kind} ${text}`)).toEqual([`md5 ${MD5}`, 'file a&b.exe']);
    expect(list.faults).toMatchObject([{ place: 'line 5', problem: 'an item of RegistryItem/Path' }]);
  });

  test.each(['{', '{"type":"other"}', '<a/>'])('is refused: %s', (text) => {
    expect(readIndicators(text)).toMatchObject({ indicators: [], faults: [{ place: 'line 1' }] });
  });

  test.each(LISTS)('made by its own library: $file', async ({ file, format, expected, faults }) => {
    const list = readIndicators(
      await readFile(new URL(`../../../test/fixtures/indicators/${file}`, import.meta.url), 'utf8'),
    );
    expect(list.format).toBe(format);
    expect(list.indicators.map(({ kind, text }) => `${kind} ${text}`)).toEqual(expected);
    expect(list.faults.map(({ place, problem }) => `${place}: ${problem}`)).toEqual(faults);
  });
});

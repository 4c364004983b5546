import { EdrlakeError } from '@edrlake/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { environmentName, type FlagName } from '../src/args/options.ts';
import { commandLineLayer, configLayer, environmentLayer, resolveSettings } from '../src/args/settings.ts';

const pageSize = fc.option(fc.integer({ min: 1, max: 10_000 }), { nil: undefined });

function codeOf(act: () => unknown): { code: string; message: string } {
  try {
    act();
  } catch (error) {
    if (error instanceof EdrlakeError) return { code: error.code, message: error.message };
    throw error;
  }
  return { code: 'none', message: '' };
}

function layersOf(flag?: string, variable?: string, config?: Record<string, unknown>) {
  return [
    commandLineLayer(new Map<FlagName, readonly string[]>(flag === undefined ? [] : [['page-size', [flag]]])),
    environmentLayer(variable === undefined ? {} : { EDRLAKE_PAGE_SIZE: variable }),
    configLayer(config ?? {}, 'edrlake.config.ts'),
  ];
}

describe('settings', () => {
  it('take the flag before the environment before the configuration before the default', () => {
    fc.assert(
      fc.property(pageSize, pageSize, pageSize, (flag, variable, config) => {
        const values = resolveSettings(layersOf(flag?.toString(), variable?.toString(), { pageSize: config }));
        expect(values['page-size']).toBe(flag ?? variable ?? config ?? 1_000);
      }),
    );
  });

  it('call the setting what it is called where it was given', () => {
    expect(codeOf(() => resolveSettings(layersOf('x')))).toEqual({
      code: 'USAGE',
      message: '--page-size: expected a whole number from 1 to 10000, found "x"',
    });
    expect(codeOf(() => resolveSettings(layersOf(undefined, '0')))).toEqual({
      code: 'CONFIG_INVALID',
      message: 'EDRLAKE_PAGE_SIZE: expected a whole number from 1 to 10000, found "0"',
    });
    expect(codeOf(() => resolveSettings(layersOf(undefined, undefined, { pageSize: 1.5 }))).message).toMatch(
      /^pageSize in edrlake\.config\.ts: .* found "1\.5"$/,
    );
  });

  it('do not look at weaker layers for what a stronger one decides', () => {
    expect(resolveSettings(layersOf('5', 'nonsense'))['page-size']).toBe(5);
  });

  it('count an empty variable as not set', () => {
    expect(resolveSettings(layersOf(undefined, ''))['page-size']).toBe(1_000);
  });

  it('refuse a flag that is given twice', () => {
    const layer = commandLineLayer(new Map<FlagName, readonly string[]>([['lake', ['a', 'b']]]));
    expect(codeOf(() => resolveSettings([layer])).message).toBe('--lake: expected one value, found 2');
  });

  it('collect a flag that may be repeated', () => {
    const layer = commandLineLayer(new Map<FlagName, readonly string[]>([['fault', ['reset@1', 'reset@2']]]));
    expect(resolveSettings([layer]).fault).toEqual(['reset@1', 'reset@2']);
    expect(resolveSettings([environmentLayer({ EDRLAKE_FAULT: 'reset@1 reset@2' })]).fault).toHaveLength(2);
  });

  it('let a base URL of a stronger layer silence the platform of a weaker one, and refuse both in one', () => {
    const url = commandLineLayer(new Map<FlagName, readonly string[]>([['base-url', ['https://example.com']]]));
    const values = resolveSettings([url, configLayer({ platform: 'US1' }, 'c')]);
    expect([values.platform, values['base-url']]).toEqual([null, 'https://example.com']);
    const both = configLayer({ platform: 'US1', baseUrl: 'https://example.com' }, 'c');
    expect(codeOf(() => resolveSettings([both])).message).toBe('platform in c and baseUrl in c exclude each other');
    expect(resolveSettings([url, both])['base-url']).toBe('https://example.com');
  });

  it('read rate limits in seconds and in units', () => {
    const read = (text: string) => resolveSettings([environmentLayer({ EDRLAKE_RATE_LIMIT: text })])['rate-limit'];
    expect(read('300/3600')).toEqual({ requests: 300, windowSeconds: 3_600 });
    expect(read('5/min')).toEqual({ requests: 5, windowSeconds: 60 });
    expect(read('none')).toBe('none');
    for (const wrong of ['300', '0/60', '5/0', '-1/5', '5/week']) {
      expect(codeOf(() => read(wrong)).code).toBe('CONFIG_INVALID');
    }
  });

  it('name the variable of a flag', () => {
    expect(environmentName('max-result-window')).toBe('EDRLAKE_MAX_RESULT_WINDOW');
  });
});

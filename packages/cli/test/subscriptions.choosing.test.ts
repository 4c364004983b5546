import { EdrlakeError } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import type { Settings } from '../src/args/command.ts';
import type { FlagName } from '../src/args/options.ts';
import { commandLineLayer, environmentLayer } from '../src/args/settings.ts';
import { checkConfig } from '../src/config/config-schema.ts';
import { settingsOf } from '../src/subscriptions/choose.ts';
import { badnessOf, worstOf } from '../src/subscriptions/worst-code.ts';

const FILE = '/etc/edrlake.config.yaml';

function choose(
  content: unknown,
  typed: Partial<Record<FlagName, string | readonly string[]>> = {},
  env: Readonly<Record<string, string>> = {},
): Settings {
  const texts = Object.entries(typed).map(([name, value]) => [name as FlagName, [value].flat()] as const);
  return settingsOf({
    typed: commandLineLayer(new Map(texts)),
    environment: environmentLayer(env),
    file: { path: FILE, ...checkConfig(content, FILE) },
    takesSubscription: true,
    workingDirectory: '/data',
  });
}

function refusal(...args: Parameters<typeof choose>): string {
  try {
    choose(...args);
    return 'no error';
  } catch (thrown) {
    if (!(thrown instanceof EdrlakeError)) throw thrown;
    expect(thrown.exitCode).toBe(2);
    return `${thrown.code}: ${thrown.message} ${thrown.hint}`;
  }
}

const named = (...names: string[]) => names.map((name) => ({ name, platform: 'US1' }));

describe('subscriptions of a configuration file', () => {
  it('have settings of their own, which win over the environment and lose against what is typed', () => {
    const content = {
      lake: 's3://security/edr/{subscription}',
      pageSize: 400,
      subscriptions: [{ name: 'acme', baseUrl: 'https://gateway.example.com', pageSize: 300 }, ...named('globex')],
    };
    const env = { EDRLAKE_PLATFORM: 'EU1', EDRLAKE_PAGE_SIZE: '200' };
    const all = choose(content, { subscription: 'all' }, env).chosen?.subscriptions ?? [];
    expect(all.map(({ values }) => [values.lake, values.platform, values['base-url'], values['page-size']])).toEqual([
      ['s3://security/edr/acme', null, 'https://gateway.example.com', 300],
      ['s3://security/edr/globex', 'US1', null, 200],
    ]);
    const typed = choose(content, { subscription: 'acme', 'page-size': '100' }, env);
    expect(typed.chosen?.subscriptions[0]?.values['page-size']).toBe(100);
    expect(typed.chosen?.isNamed).toBe(true);
  });

  it('have a lake with their name unless a setting says where', () => {
    const { chosen } = choose({ subscriptions: named('acme', 'eu-1') }, { subscription: ['eu-*'] });
    expect(chosen?.subscriptions.map(({ values }) => values.lake)).toEqual(['./lake/eu-1']);
    expect(chosen?.isNamed).toBe(false);
    expect(chosen?.subscriptions[0]?.account.prefix).toBe('EDRLAKE_SUBSCRIPTION_EU_1_');
  });

  it.each([
    [{ subscriptions: named('acme', 'acme') }, {}, /CONFIG_INVALID.*once, found two named acme/],
    [{ subscriptions: named('Acme') }, {}, /subscriptions\[0\]\.name: expected a name of lower-case.*found "Acme"/],
    [{ subscriptions: named('all') }, {}, /subscriptions\[0\]\.name/],
    [
      { subscriptions: [{ name: 'a', lakes: 'x' }] },
      {},
      /subscriptions\[0\]\.lakes is not a setting of a .*mean lake\?/,
    ],
    [{ subscriptions: [{ name: 'a', pageSize: 'x' }] }, {}, /\[0\]\.pageSize: expected a whole number.*found "x"/],
    [{ subscriptions: { a: 1 } }, {}, /subscriptions: expected a list, found an object/],
    [{ lake: './lake', subscriptions: named('a', 'b') }, { subscription: 'a' }, /a and b have the same lake/],
    [{ subscriptions: named('a', 'b') }, { subscription: 'a', lake: './lake/B' }, /same lake/],
    [{ subscriptions: named('a', 'b') }, { subscription: 'c*' }, /USAGE.*c\* matches no subscription.*It has a and b/],
    [{ subscriptions: named('acme') }, { subscription: 'acm' }, /acm is no subscription.*Did you mean acme\?/],
    [{}, { subscription: 'all' }, /expected a configuration file with subscriptions/],
    [{ subscriptions: named('a', 'b') }, {}, /expected --subscription, because.*has a and b/],
    [{ lake: './{subscription}' }, {}, /no subscription is chosen/],
  ])('%j with %j is refused', (content, typed, message) => {
    expect(refusal(content, typed)).toMatch(message);
  });

  it('hold no secret, and the error does not repeat it', () => {
    const text = refusal({ subscriptions: [{ name: 'a', password: 'correct horse' }] }, { subscription: 'a' });
    expect(text).toMatch(/subscriptions\[0\]\.password does not belong.*passwordFile/);
    expect(text).not.toContain('horse');
  });
});

describe('the worst exit code', () => {
  it('is what a person has to look at first', () => {
    expect(worstOf([])).toBe(0);
    expect([130, 5, 4, 1, 2, 6, 3, 0].map(badnessOf)).toEqual([7, 6, 5, 4, 3, 2, 1, 0]);
    expect(worstOf([0, 6, 4, 1, 2, 3])).toBe(4);
    // An unknown code is a failure.
    expect(worstOf([2, 99])).toBe(99);
    expect(worstOf([4, 99])).toBe(4);
  });
});

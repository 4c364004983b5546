import { readConfigureGlobal } from 'fast-check';
import { expect, it } from 'vitest';

it('property tests of npm test have one seed, unless the environment says otherwise', () => {
  const given = process.env.EDRLAKE_PROPERTY_SEED ?? '20200817';
  expect(readConfigureGlobal().seed).toBe(given === 'random' ? undefined : Number(given));
});

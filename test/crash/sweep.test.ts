import { VARIANTS } from './sweep-plan.ts';
import { sweepTests } from './sweep-tests.ts';

const SWEPT_VARIANTS = (process.env.EDRLAKE_TEST_CRASH_VARIANTS ?? Object.keys(VARIANTS).join(',')).split(',');

for (const [name, variant] of Object.entries(VARIANTS)) {
  if (SWEPT_VARIANTS.includes(name)) sweepTests(name, variant, name === 'edr' ? 1 : 1 / 2);
}

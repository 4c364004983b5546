import { configureGlobal } from 'fast-check';

// Vitest runs this before each test file. A property test that chooses other values in each run can fail for a reason
// that has nothing to do with a change, so the usual tests have one seed. EDRLAKE_PROPERTY_SEED is another one, or
// `random`, as in the long tests. Where a property fails, fast-check prints the seed, to be given here again.

const given = process.env.EDRLAKE_PROPERTY_SEED ?? process.env.EDRLAKE_PROPERTY_DEFAULT ?? '20200817';
if (given !== 'random') configureGlobal({ seed: Number(given) });

import { QUALYS_EDR } from '@edrlake/datasets';
import { testHundredThousand } from './hundred-thousand.ts';

testHundredThousand(QUALYS_EDR);

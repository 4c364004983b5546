import { QUALYS_FIM } from '@edrlake/datasets';
import { testHundredThousand } from './hundred-thousand.ts';

testHundredThousand(QUALYS_FIM);

import { exactlyOnceTests } from './exactly-once.ts';
import { FIM } from './lake-truth.ts';

exactlyOnceTests(FIM, 45_000, 250);

import { exactlyOnceTests } from './exactly-once.ts';
import { EDR } from './lake-truth.ts';

exactlyOnceTests(EDR, 80_000, 1_000);

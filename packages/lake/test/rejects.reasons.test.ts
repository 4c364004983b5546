import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { LakeWriter } from '../src/index.ts';
import { newDirectory, openSmall } from './opened-lakes.ts';
import { DAY_1, deliver, type SmallReject } from './small-lake.ts';

const reject = (reason: string, text: string): SmallReject => ({ reason, record: { text } });

describe.each<LakeWriter>(['duckdb', 'parquetjs'])(
  'the rejects that a lake keeps, read by the engine of %s',
  (writer) => {
    test('are counted by reason over all commits, the most frequent first', async () => {
      const directory = await newDirectory();
      const lake = await openSmall(directory);
      await deliver(lake, [{ id: 'a', timeMs: DAY_1 }]);
      expect(await lake.rejectReasons()).toEqual([]);
      await deliver(lake, [], { rejects: [reject('not JSON', '1'), reject('no id', '2'), reject('no id', '3')] });
      await deliver(lake, [], { rejects: [reject('no id', '4'), reject('not UTF-8', '5')] });
      const reader = await openSmall(directory, { readOnly: true, writer });
      expect(await reader.rejectReasons()).toEqual([
        { reason: 'no id', records: 3 },
        { reason: 'not JSON', records: 1 },
        { reason: 'not UTF-8', records: 1 },
      ]);
    });

    test('are counted without the files that are gone', async () => {
      const directory = await newDirectory();
      const lake = await openSmall(directory);
      await deliver(lake, [], { rejects: [reject('no id', '1')] });
      const { files } = await lake.snapshot();
      await deliver(lake, [], { rejects: [reject('not JSON', '2')] });
      await rm(join(directory, files.rejects?.[0]?.path ?? ''));
      const reader = await openSmall(directory, { readOnly: true, writer });
      expect(await reader.rejectReasons()).toEqual([{ reason: 'not JSON', records: 1 }]);
    });
  },
);

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { filesOf } from './lake-homes.ts';
import { ask, askPlain, newDirectory, openSmall, plainRows } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, type SmallEvent } from './small-lake.ts';

/** Few ids, days and contents, so that deliveries overlap, change, move and repeat. */
const delivered: fc.Arbitrary<SmallEvent> = fc.record({
  id: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', "it's"),
  timeMs: fc.integer({ min: 0, max: 2 }).map((day) => DAY_1 + day * DAY),
  processedMs: fc.integer({ min: 0, max: 3 }).map((day) => DAY_1 + day * DAY),
  score: fc.constantFrom(null, 1, 2),
  issuers: fc.constantFrom([], ['x'], ['x', 'y'], ['y', 'x'], ['x', 'x']),
  noise: fc.constantFrom('p', 'q'),
});
const deliveries = fc.array(fc.uniqueArray(delivered, { selector: ({ id }) => id, maxLength: 5 }), {
  minLength: 1,
  maxLength: 7,
});

/**
 * The expected lake, by id: the newest processing time, of equals the latest event time, of equals the last delivery.
 */
function model(batches: readonly (readonly SmallEvent[])[]): Map<string, SmallEvent> {
  const stored = new Map<string, SmallEvent>();
  for (const batch of batches) {
    for (const event of batch) {
      const known = stored.get(event.id);
      const newer = (event.processedMs ?? 0) - (known?.processedMs ?? 0);
      if (known === undefined || newer > 0 || (newer === 0 && event.timeMs >= known.timeMs))
        stored.set(event.id, event);
    }
  }
  return stored;
}

const EVENT_ROWS = 'SELECT event_id, epoch_ms(event_time)::VARCHAR, epoch_ms(processed_time)::VARCHAR, score FROM';
const CHILD_ROWS = 'SELECT event_id, epoch_ms(event_time)::VARCHAR, position, issuer FROM';

test('any sequence of deliveries leaves each event once, the newest, with its own child rows', async () => {
  await fc.assert(
    fc.asyncProperty(deliveries, async (batches) => {
      const directory = await newDirectory();
      const lake = await openSmall(directory);
      let version = 0;
      for (const batch of batches) version = (await deliver(lake, batch)).version;
      const expected = [...model(batches).values()];
      const events = expected.map(({ id, timeMs, processedMs, score }) => [id, `${timeMs}`, `${processedMs}`, score]);
      const children = expected.flatMap(({ id, timeMs, issuers = [] }) =>
        issuers.map((issuer, position) => [id, `${timeMs}`, position, issuer]),
      );
      expect(sorted(await ask(lake, `${EVENT_ROWS} events`))).toEqual(sorted(events));
      expect(sorted(await ask(lake, `${CHILD_ROWS} certificates`))).toEqual(sorted(children));
      const { files } = await lake.snapshot();
      const folder = await filesOf(directory);
      if (events.length > 0) {
        expect(sorted(await askPlain(`${EVENT_ROWS} ${plainRows(folder, 'events')}`))).toEqual(sorted(events));
      }
      if (children.length > 0) {
        const plain = await askPlain(`${CHILD_ROWS} ${plainRows(folder, 'certificates')}`);
        expect(sorted(plain)).toEqual(sorted(children));
      }
      expect(files.events?.reduce((sum, file) => sum + file.rowCount, 0)).toBe(events.length);
      // Delivered once more, the last batch changes nothing.
      expect(await deliver(lake, batches.at(-1) ?? [])).toMatchObject({ version, filesAdded: 0 });
      await lake.close();
    }),
    { numRuns: 8, seed: 20200817 },
  );
});

function sorted(rows: readonly (readonly unknown[])[]): unknown[][] {
  return rows
    .map((row) => [...row])
    .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : JSON.stringify(a) > JSON.stringify(b) ? 1 : 0));
}

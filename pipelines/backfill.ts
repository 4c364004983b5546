import { definePipeline, EdrlakeError } from 'edrlake';

/** @throws {EdrlakeError} `USAGE` for days in the wrong order */
function inOrder<Days extends { readonly from: string; readonly to: string }>({ from, to }: Days) {
  if (from <= to) return { from, to };
  throw new EdrlakeError('USAGE', `expected from to be no later than to, found from=${from} to=${to}`, {
    hint: 'Exchange the two.',
  });
}

/**
 * A long range in parts, the newest first, because analysts ask for the last days most. A part has enough events that
 * planning it costs little beside its pages, and its own attempts. A killed run goes on with the parts that are left.
 */
export default definePipeline({
  name: 'backfill',
  description: 'export a long range, newest days first',
  params: {
    from: { type: 'day', meaning: 'first day' },
    to: { type: 'day', meaning: 'last day, included' },
  },
  tasks: {
    divide: {
      uses: 'divide',
      with: ({ params }) => inOrder(params),
      retries: { attempts: 3, firstDelayMs: 60_000, maxDelayMs: 600_000 },
    },
    days: {
      uses: 'backfill',
      needs: ['divide'],
      forEach: ({ outputs }) => outputs.divide.parts,
      with: ({ partition }) => {
        const [from = '', to = from] = partition.split('..');
        return { from, to };
      },
      concurrency: 1,
      retries: { attempts: 3, firstDelayMs: 60_000, maxDelayMs: 600_000 },
    },
    compact: { uses: 'compact', needs: ['days'], with: {} },
  },
});

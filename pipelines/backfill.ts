import { definePipeline, EdrlakeError } from 'edrlake';

const MS_PER_DAY = 86_400_000;

/** The days from one to another, newest first: the days that analysts ask for most arrive first. */
function newestFirst(from: string, to: string): string[] {
  if (from > to) {
    throw new EdrlakeError('USAGE', `expected from to be no later than to, found from=${from} to=${to}`, {
      hint: 'Exchange the two.',
    });
  }
  const days: string[] = [];
  for (let ms = Date.parse(to); ms >= Date.parse(from); ms -= MS_PER_DAY)
    days.push(new Date(ms).toISOString().slice(0, 10));
  return days;
}

/** A long range, day by day, each with its own attempts. A killed run goes on with the days that are left. */
export default definePipeline({
  name: 'backfill',
  description: 'export a long range, newest day first',
  params: {
    from: { type: 'day', meaning: 'first day' },
    to: { type: 'day', meaning: 'last day, included' },
  },
  tasks: {
    days: {
      uses: 'backfill',
      forEach: ({ params }) => newestFirst(params.from, params.to),
      with: ({ partition }) => ({ from: partition, to: partition }),
      concurrency: 1,
      retries: { attempts: 3, firstDelayMs: 60_000, maxDelayMs: 600_000 },
    },
    compact: { uses: 'compact', needs: ['days'], with: {} },
  },
});

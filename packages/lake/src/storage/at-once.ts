import pLimit from 'p-limit';

/**
 * Runs some work for each item, several at once. After a failure nothing more is begun, and the first one is thrown
 * when what is under way has ended.
 * @returns the results in the order of the items
 */
export async function mapAtOnce<T, R>(
  items: readonly T[],
  concurrency: number,
  work: (item: T) => Promise<R>,
): Promise<R[]> {
  const failures: unknown[] = [];
  const results = await pLimit(concurrency).map(items, async (item) => {
    if (failures.length > 0) return [];
    try {
      return [await work(item)];
    } catch (thrown) {
      failures.push(thrown);
      return [];
    }
  });
  if (failures.length > 0) throw failures[0];
  return results.flat() as R[];
}

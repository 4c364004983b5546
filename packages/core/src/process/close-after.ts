/**
 * Does some work and then lets go of what it needed, whatever happens. When both fail, the error of the work is thrown: what
 * failed while cleaning up is most often only a consequence of it.
 */
export async function closeAfter<T>(close: () => Promise<unknown>, work: () => Promise<T>): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (thrown) {
    await close().catch(() => undefined);
    throw thrown;
  }
  await close();
  return result;
}

/**
 * Runs `work` and then `close`, also after an error. When both fail, the error of `work` is thrown: a failure while
 * closing is usually only a consequence of it.
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

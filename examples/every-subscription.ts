import { backfill, forEachSubscription } from 'edrlake';

/**
 * Exports one UTC day of every subscription in a configuration file, each into its own lake, as
 * `edrlake backfill --subscription all` does. What fails for one does not keep the others from running.
 * @param config path of the file; accounts are in `env` as its documentation says
 * @returns a line for each subscription
 */
export async function exportEverySubscription(
  config: string,
  day: string,
  env: Readonly<Record<string, string | undefined>>,
): Promise<string[]> {
  const results = await forEachSubscription({ config, env }, async (subscription) => {
    await using lake = await subscription.openLake();
    await using source = await subscription.connect({ lake });
    // Awaited here: both are closed when this function returns.
    return await backfill(lake, source, { ...subscription.scope, from: day, to: day });
  });
  return results.map(({ name, result, error }) => {
    if (error !== null) return `${name}: ${error.message} [${error.code}]`;
    return `${name}: ${result.outcome}, ${result.events.new} new events`;
  });
}

import { events, type Source } from 'edrlake';

/**
 * Counts the hosts of a UTC day that ran a program, without a lake. Events are read page by page and are not kept.
 * @returns the number of events for each host
 */
export async function hostsRunning(source: Source, day: string, program: string): Promise<ReadonlyMap<string, number>> {
  const hosts = new Map<string, number>();
  for await (const page of events(source, { from: day, to: day, filter: 'type:PROCESS' })) {
    for (const { process, asset } of page.events) {
      if (process?.processName?.toLowerCase() !== program) continue;
      const host = asset?.hostName ?? 'unknown';
      hosts.set(host, (hosts.get(host) ?? 0) + 1);
    }
  }
  return hosts;
}

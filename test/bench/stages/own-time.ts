/** Time of some work inside a program, without the program's start. */
export interface OwnTime {
  readonly seconds: number;
  /** User and system, of all threads. */
  readonly cpuSeconds: number;
}

/** Runs the work and returns its time. */
export async function timed<T>(work: () => Promise<T>): Promise<OwnTime & { readonly value: T }> {
  const cpu = process.cpuUsage();
  const startedAt = performance.now();
  const value = await work();
  const { user, system } = process.cpuUsage(cpu);
  return { value, seconds: (performance.now() - startedAt) / 1000, cpuSeconds: (user + system) / 1e6 };
}

/** What a program reports to the bench: one JSON document on stdout. */
export function report(document: object): void {
  process.stdout.write(`${JSON.stringify(document)}\n`);
}

import { quoteText } from './sql-text.ts';

/** What the packages need of a DuckDB connection to run statements. `@duckdb/node-api` is loaded by `lake` alone. */
export interface SqlConnection {
  run(sql: string): Promise<unknown>;
  runAndReadAll(sql: string): Promise<{ getRowObjectsJS(): Record<string, unknown>[] }>;
}

/** Runs a query and returns its rows with plain JavaScript values; 64-bit integers as bigint. For small results. */
export async function rowsOf(
  connection: SqlConnection,
  sql: string,
): Promise<readonly Readonly<Record<string, unknown>>[]> {
  const reader = await connection.runAndReadAll(sql);
  return reader.getRowObjectsJS();
}

/**
 * How a connection is set while rows are staged and written. Rows keep their order: row ids say what was delivered
 * later, and files are in order of arrival. No statement there holds a query twice, and looking for one takes a quarter
 * of the time that a statement is planned.
 */
const IN_ORDER: Readonly<Record<string, string>> = {
  preserve_insertion_order: 'true',
  disabled_optimizers: 'common_subplan',
};

/** Runs `work` while statements keep the order of rows, and restores the settings of before, also after an error. */
export function withRowOrder<T>(connection: SqlConnection, work: () => Promise<T>): Promise<T> {
  return withSettings(connection, IN_ORDER, work);
}

/** Runs `work` with other settings of DuckDB, by name, and restores those of before, also after an error. */
export async function withSettings<T>(
  connection: SqlConnection,
  settings: Readonly<Record<string, string>>,
  work: () => Promise<T>,
): Promise<T> {
  const names = Object.keys(settings);
  const current = names.map((name) => `current_setting('${name}')::VARCHAR AS ${name}`).join(', ');
  const [before = {}] = await rowsOf(connection, `SELECT ${current}`);
  const set = (values: Readonly<Record<string, unknown>>) =>
    connection.run(names.map((name) => `SET ${name} = ${quoteText(String(values[name] ?? ''))}`).join('; '));
  await set(settings);
  try {
    return await work();
  } finally {
    await set(before);
  }
}

/**
 * A function that gives the memory that DuckDB has freed back to the system; its allocator keeps it for later, which
 * after some large statements is more than DuckDB may use. DuckDB does so whenever its limit is set, also to what it
 * is. It takes 30 ms for 300 MB: only for statements that take much longer.
 */
export async function memoryReturner(connection: SqlConnection): Promise<() => Promise<void>> {
  const [row] = await rowsOf(connection, "SELECT current_setting('memory_limit') AS limit_text");
  // Once: the text is rounded down.
  const limit = quoteText(String(row?.limit_text));
  return async () => {
    await connection.run(`SET memory_limit = ${limit}`);
  };
}

/** An interrupt before a statement has started, or between two of them, is lost, so it is repeated. */
const INTERRUPT_EVERY_MS = 50;

/** Interrupts what runs on a connection once a signal is aborted, until `release`. */
export function interruptOn(connection: { interrupt(): void }, signal: AbortSignal | undefined): { release(): void } {
  let timer: NodeJS.Timeout | undefined;
  const interrupt = () => {
    connection.interrupt();
    timer ??= setInterval(() => connection.interrupt(), INTERRUPT_EVERY_MS);
  };
  signal?.addEventListener('abort', interrupt, { once: true });
  if (signal?.aborted) interrupt();
  return {
    release: () => {
      clearInterval(timer);
      signal?.removeEventListener('abort', interrupt);
    },
  };
}

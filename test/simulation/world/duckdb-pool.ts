/** DuckDB's library, by the names of its functions. */
export type Native = Readonly<Record<string, (...given: unknown[]) => unknown>>;

interface Opened {
  /** The settings it was opened with, as text. */
  readonly key: string;
  attached: number;
  /** Something would remain in it for the next user. */
  isDirty: boolean;
  uses: number;
}

/** Settings that the command or this pool sets again in each DuckDB, so that nothing remains for the next user. */
const SET_ANEW = /^(memory_limit|threads|temp_directory|preserve_insertion_order|timezone|disabled_optimizers)$/i;
/**
 * Searching for common subexpressions takes half the planning time of the statement that flattens a batch, and the
 * result saves time only with many rows.
 */
const NEVER_OPTIMIZED = 'common_subexpressions';
/** The most idle databases, and how often one is reused. */
const MAX_IDLE = 6;
const MAX_USES = 200;

/**
 * In-memory databases that one simulated process returned and the next one gets: creating one costs more than most of
 * what processes do with it. Only databases in the state of a new one are reused: nothing attached, nothing created
 * outside of a connection's temporary tables, no setting changed that the next user does not set.
 */
export class DuckDbPool {
  private readonly native: Native;
  private readonly configs = new WeakMap<object, [string, string][]>();
  private readonly opened = new Map<unknown, Opened>();
  private readonly connections = new Map<unknown, Opened>();
  private readonly idle: { readonly database: unknown; readonly opened: Opened }[] = [];

  constructor(native: Native) {
    this.native = native;
  }

  /** Records a setting before a database is opened with it. */
  configured(config: object, name: string, value: string): void {
    this.configs.set(config, [...(this.configs.get(config) ?? []), [name, value]]);
  }

  /** A database, used before or new. */
  async open(path: unknown, config: object): Promise<unknown> {
    const key = JSON.stringify([path, this.configs.get(config) ?? []]);
    for (;;) {
      const at = this.idle.findIndex(({ opened }) => opened.key === key);
      const [ready] = at < 0 ? [] : this.idle.splice(at, 1);
      if (ready === undefined) break;
      const { database, opened } = ready;
      if (await this.isAsNew(database)) {
        opened.uses += 1;
        this.opened.set(database, opened);
        return database;
      }
      this.native.close_sync?.(database);
    }
    const database = await this.native.open?.(path, config);
    if (path === ':memory:') this.opened.set(database, { key, attached: 0, isDirty: false, uses: 1 });
    await this.run(database, `SET GLOBAL disabled_optimizers = '${NEVER_OPTIMIZED}'`);
    return database;
  }

  /** Records the database of a connection. */
  connected(connection: unknown, database: unknown): void {
    const opened = this.opened.get(database);
    if (opened !== undefined) this.connections.set(connection, opened);
  }

  /** The statement as executed here, with one more optimizer disabled. */
  statement(sql: string): string {
    return sql.replace(/(SET disabled_optimizers = ')(?!common_subexpressions)/, `$1${NEVER_OPTIMIZED},`);
  }

  /** Records an executed statement. */
  executed(connection: unknown, sql: string): void {
    const opened = this.connections.get(connection);
    if (opened === undefined) return;
    if (/^\s*ATTACH\b/i.test(sql)) opened.attached += 1;
    else if (/^\s*DETACH\b/i.test(sql)) opened.attached -= 1;
    else if (opened.attached === 0 && /\bCREATE\s+(OR\s+REPLACE\s+)?(?!TEMP\b|OR\b)\w+/i.test(sql))
      opened.isDirty = true;
    for (const [, name = ''] of sql.matchAll(/(?:^|;)\s*SET\s+(?:GLOBAL\s+|SESSION\s+)?(\w+)\s*=/gi)) {
      if (!SET_ANEW.test(name)) opened.isDirty = true;
    }
  }

  /** Ends a connection. */
  disconnect(connection: unknown): void {
    this.connections.delete(connection);
    this.native.disconnect_sync?.(connection);
  }

  /** Takes a database back, or closes it. */
  close(database: unknown): void {
    const opened = this.opened.get(database);
    this.opened.delete(database);
    const isKept = opened !== undefined && !opened.isDirty && opened.attached === 0 && opened.uses < MAX_USES;
    if (isKept && this.idle.length < MAX_IDLE) this.idle.push({ database, opened });
    else this.native.close_sync?.(database);
  }

  /** Clears cached files and the place of spilled data; false where that is not possible. */
  private async isAsNew(database: unknown): Promise<boolean> {
    try {
      await this.run(database, 'SET enable_external_file_cache = false');
      await this.run(database, 'SET enable_external_file_cache = true');
      await this.run(database, "SET temp_directory = ''");
      await this.run(database, `SET GLOBAL disabled_optimizers = '${NEVER_OPTIMIZED}'`);
      return true;
    } catch {
      return false;
    }
  }

  private async run(database: unknown, sql: string): Promise<void> {
    const connection = await this.native.connect?.(database);
    try {
      await this.native.query?.(connection, sql);
    } finally {
      this.native.disconnect_sync?.(connection);
    }
  }
}

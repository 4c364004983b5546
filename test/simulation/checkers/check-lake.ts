import type { DuckDBConnection } from '@duckdb/node-api';
import type { Ended, World } from '../world/world.ts';
import type { History, KnownEvent } from './history.ts';
import { processedAt } from './history.ts';
import { entriesFrom, readByPattern, readVersion, type StoredLake } from './lake-reader.ts';
import type { LoggedProof } from './log-reader.ts';
import { few, PromiseBroken } from './promise-broken.ts';
import { RowReader, type StoredEvent } from './row-reader.ts';

/** The data that a checker compares, and the state of its last look. */
export class LakeChecker {
  private readonly world: World;
  private readonly history: History;
  private readonly reader: RowReader;
  /** The lake at the last look. */
  private seen: ReadonlyMap<string, StoredEvent> = new Map();
  /** The same without a commit that a power cut may take back, because its process was killed before it synced it. */
  private durable: ReadonlyMap<string, StoredEvent> = new Map();
  /** Events of which a record came damaged as often as it was asked for: the lake has them as rejects. */
  private refused: ReadonlySet<string> = new Set();
  /** Days that had events at the look before the last one. */
  knownDays: ReadonlySet<string> = new Set();
  /**
   * Whether pages of this step may lack a record. Then an event that arrives between the count and the page makes the
   * numbers agree, and nothing can show it: a proof may lack as many events as arrived while it was made.
   */
  pagesMayLack = false;
  private nextEntry = 1;
  /** When the world began, by the gateway's clock. */
  private readonly beganAtMs: number;
  /** Commits that were checked, including proofs, and those that claim to be proven. */
  readonly tally = { looks: 0, rows: 0, proofs: 0, proven: 0 };

  constructor(world: World, history: History, connection: DuckDBConnection) {
    this.world = world;
    this.history = history;
    this.reader = new RowReader(connection);
    this.beganAtMs = world.gateway.nowMs();
  }

  /**
   * Checks what must be true at any moment, after any kill.
   * @param ended the commands that ended since the last look
   * @throws {PromiseBroken}
   */
  async checkAlways(ended: readonly Ended[] = []): Promise<StoredLake> {
    const lake = await readVersion(this.reader, this.world.lake);
    this.tally.looks += 1;
    this.tally.rows += lake.events.length;
    if (lake.missingFiles.length > 0) {
      throw new PromiseBroken(
        'nothing lost',
        `version ${lake.version} names files that are not there: ${few(lake.missingFiles)}`,
      );
    }
    this.checkRows(lake, 'the version');
    const stored = new Map(lake.events.map((event) => [event.id, event]));
    this.checkNothingLost(stored);
    this.refused = new Set(lake.rejects.flatMap(idsIn));
    this.checkProofs(stored, lake);
    this.knownDays = new Set([...this.seen.values()].map(({ day }) => day));
    this.seen = stored;
    const newest = `${this.world.lake}/${entryPath(lake.version)}`;
    const wasKilled = ended.some(({ exitCode }) => exitCode === null);
    if (wasKilled && this.world.disk.isPending(newest)) this.nextEntry = lake.version;
    else this.durable = stored;
    return lake;
  }

  /**
   * Checks what a pattern over the folders returns, while no writer is at work and the last one ended with success.
   * @throws {PromiseBroken}
   */
  async checkPattern(version: StoredLake): Promise<void> {
    const found = await readByPattern(this.reader, this.world.lake);
    const difference = differenceOf(version, found);
    if (difference !== null) throw new PromiseBroken('globs', `by the views and by pattern: ${difference}`);
  }

  /** The lake is the truth. @throws {PromiseBroken} */
  checkEqualsTruth(lake: StoredLake, nowMs: number): void {
    const expected = this.history.visibleAt(nowMs);
    const withId = expected.filter(({ id }) => id !== null);
    const stored = new Map(lake.events.map((event) => [event.id, event]));
    const readable = withId.filter(({ id }) => !this.refused.has(id as string));
    const missing = readable.filter(({ id }) => !stored.has(id as string));
    if (missing.length > 0) throw new PromiseBroken('nothing lost', `not in the lake: ${named(missing)}`);
    for (const event of readable) {
      const row = stored.get(event.id as string);
      const processedMs = processedAt(event, nowMs);
      if (row?.processedMs !== processedMs) {
        const times = `processed ${row?.processedMs}, not ${processedMs}`;
        throw new PromiseBroken('newest', `${event.id} is not of its newest version: ${times}`);
      }
    }
    const rejects = expected.length - withId.length;
    // There are more where a record changed: a reject has no id by which a later copy could replace it.
    if (lake.rejects.length < rejects)
      throw new PromiseBroken('nothing lost', `${lake.rejects.length} rejects, not ${rejects}`);
    const truth = this.world.gateway.simulator.truth.perDay();
    for (const [table, key] of CHILD_KEYS) {
      for (const day of truth) {
        const rows = lake.childRows[table]?.get(day.day) ?? 0;
        if (this.refused.size === 0 ? rows !== day[key] : rows > day[key])
          throw new PromiseBroken('nothing lost', `${rows} ${table} on ${day.day}, not ${day[key]}`);
      }
    }
  }

  /**
   * Everything in the range that existed during the whole command must be in the lake by now. @throws {PromiseBroken}
   */
  checkBrought(ended: Ended, axis: 'event' | 'processed', range: { startMs: number; endMs: number }): void {
    const skewMs = this.world.gateway.nowMs() - this.world.scheduler.nowMs;
    const [fromMs, toMs] = [ended.startedAtMs + skewMs, ended.endedAtMs + skewMs];
    const certain = this.history.throughout(axis, range, fromMs, toMs);
    const missing = certain.filter((event) => this.isLacking(event, this.seen));
    const arrived = this.pagesMayLack ? this.history.sometime(axis, range, fromMs, toMs).length - certain.length : 0;
    if (missing.length <= arrived) return;
    const command = ended.args.slice(0, 5).join(' ');
    throw new PromiseBroken('exit code', `"${command}" ended with 0 and did not bring ${named(missing)}`);
  }

  /**
   * Everything on days reported as complete that existed before the first command must be in the lake. @throws
   * {PromiseBroken}
   */
  checkComplete(range: { startMs: number; endMs: number }, day: string): void {
    const missing = this.history
      .throughout('event', range, this.beganAtMs, this.beganAtMs)
      .filter((event) => this.isLacking(event, this.seen));
    if (missing.length > 0) throw new PromiseBroken('proven', `${day} is called complete and lacks ${named(missing)}`);
  }

  private isLacking({ id }: KnownEvent, stored: ReadonlyMap<string, StoredEvent>): boolean {
    return id !== null && !stored.has(id) && !this.refused.has(id);
  }

  private checkRows(lake: StoredLake, where: string): void {
    const ids = new Set<string>();
    const known = new Map(this.history.events.map((event) => [event.id, event]));
    for (const { id, eventMs, processedMs, type, day } of lake.events) {
      if (ids.has(id)) throw new PromiseBroken('once', `${id} is twice in ${where}`);
      ids.add(id);
      const truth = known.get(id);
      if (truth === undefined) throw new PromiseBroken('newest', `${id} is in the lake and was never delivered`);
      const isRight =
        truth.eventMs === eventMs &&
        truth.type === type &&
        day === new Date(eventMs).toISOString().slice(0, 10) &&
        truth.processed.some((change) => change.processedMs === processedMs);
      if (!isRight) throw new PromiseBroken('newest', `${id} has values that were never delivered`);
    }
    if (lake.misplaced.length > 0) throw new PromiseBroken('once', `without event or position: ${few(lake.misplaced)}`);
  }

  private checkNothingLost(stored: ReadonlyMap<string, StoredEvent>): void {
    for (const [id, before] of this.durable) {
      const now = stored.get(id);
      if (now === undefined) throw new PromiseBroken('newest', `${id} was in the lake and is gone`);
      if (now.processedMs < before.processedMs)
        throw new PromiseBroken('newest', `${id} went back to an older version`);
    }
  }

  private checkProofs(stored: ReadonlyMap<string, StoredEvent>, lake: StoredLake): void {
    const entries = entriesFrom(this.world.lake, this.nextEntry);
    for (const { version, runId, proofs } of entries) {
      const journal = this.world.disk.madeAtMs(`${this.world.lake}/_runs/${runId}.jsonl`);
      const committed = this.world.disk.madeAtMs(`${this.world.lake}/${entryPath(version)}`);
      for (const proof of proofs) {
        this.tally.proofs += 1;
        if (proof.verdict !== 'proven') continue;
        this.tally.proven += 1;
        if (proof.window.cuts.length > 0 || proof.window.scope.filter !== null) continue;
        this.checkProof(proof, stored, { version, fromMs: journal, toMs: committed ?? this.world.scheduler.nowMs });
      }
    }
    this.nextEntry = lake.version + 1;
  }

  private checkProof(
    { window: { axis, range }, counted, comparedOnly, countedAtMs }: LoggedProof,
    stored: ReadonlyMap<string, StoredEvent>,
    { version, fromMs, toMs }: { version: number; fromMs: number | null; toMs: number },
  ): void {
    const skewMs = this.world.gateway.nowMs() - this.world.scheduler.nowMs;
    // What is proven by comparison alone was counted before its commit had a run.
    const countedMs = comparedOnly === true ? (countedAtMs ?? Number.NEGATIVE_INFINITY) : Number.POSITIVE_INFINITY;
    const startMs = Math.min((fromMs ?? Number.NEGATIVE_INFINITY) + skewMs, countedMs);
    const endMs = toMs + skewMs;
    const certain = this.history.throughout(axis, range, startMs, endMs);
    const possible = this.history.sometime(axis, range, startMs, endMs);
    const what = `version ${version} calls ${axis} ${textOf(range.startMs)} to ${textOf(range.endMs)} proven`;
    const missing = certain.filter((event) => this.isLacking(event, stored));
    const arrived = this.pagesMayLack ? possible.length - certain.length : 0;
    if (missing.length > arrived) throw new PromiseBroken('proven', `${what} and lacks ${named(missing)}`);
    if (counted < certain.length || counted > possible.length) {
      const truth = certain.length === possible.length ? certain.length : `${certain.length} to ${possible.length}`;
      throw new PromiseBroken('proven', `${what} with ${counted} events; the truth is ${truth}`);
    }
  }
}

const CHILD_KEYS = [
  ['certificates', 'certificates'],
  ['indicators', 'indicators'],
  ['interfaces', 'interfaces'],
  ['asset_tags', 'assetTags'],
] as const;

function named(events: readonly KnownEvent[]): string {
  return few(
    events.map(({ id, eventMs, visibleMs, processed }) => {
      const times = processed.map(({ processedMs }) => textOf(processedMs)).join(', then ');
      return `${id ?? 'a reject'} of ${textOf(eventMs)} (visible from ${textOf(visibleMs)}, processed ${times})`;
    }),
  );
}

/** The ids in the text of a reject, also where the gateway's `invalid-json` is in the middle of one. */
function idsIn(reject: string): string[] {
  const delivered = reject.split(/\\*"[^"}]{1,8}\}oops/).join('');
  return delivered.match(/[A-Z]{3}_[0-9a-f]{8}-[\w-]+/g) ?? [];
}

function textOf(ms: number): string {
  return Number.isFinite(ms) && Math.abs(ms) < 8e15 ? new Date(ms).toISOString() : String(ms);
}

function differenceOf(version: StoredLake, pattern: StoredLake): string | null {
  const [a, b] = [version.events, pattern.events];
  if (a.length !== b.length) return `${a.length} and ${b.length} events`;
  const at = a.findIndex((event, nth) => JSON.stringify(event) !== JSON.stringify(b[nth]));
  if (at >= 0) return `${a[at]?.id} and ${b[at]?.id}`;
  for (const [table, days] of Object.entries(version.childRows)) {
    const other = pattern.childRows[table];
    if (JSON.stringify([...days].sort()) !== JSON.stringify([...(other ?? [])].sort())) return `rows of ${table}`;
  }
  const [ours, theirs] = [version.rejects.length, pattern.rejects.length];
  return ours === theirs ? null : `${ours} and ${theirs} rejects`;
}

/** `_log/00000000000000000007.json` */
function entryPath(version: number): string {
  return `_log/${String(version).padStart(20, '0')}.json`;
}

import * as fs from 'node:fs';
import { dirname, join } from 'node:path';
import type { Random } from '@edrlake/core';

/** A change of names that a power cut may still undo. */
interface NameChange {
  /** Description, for the trace. */
  readonly what: string;
  /** The folders whose names changed. */
  readonly folders: readonly string[];
  /** The folder that it made, if it made one. */
  readonly made: string | null;
  readonly undo: () => void;
}

/** The functions of the file system without a simulation. */
const real = { ...fs };

/**
 * The disk of a simulated machine: a real folder, with a record of what has not been synced. A power cut undoes changes
 * of names in the order of a journal, and cuts off bytes that were not synced.
 */
export class Disk {
  readonly root: string;
  private readonly now: () => number;
  private readonly worldNow: () => number;
  private readonly shadow: string;
  /** true: it claims to have synced and has not, to show that checkers notice. */
  forgetsSyncs = false;
  private shadows = 0;
  private changes: NameChange[] = [];
  /** Time of the last change by inode, in the machine's time. */
  private readonly times = new Map<number, number>();
  /** Bytes and real change time of files at their last sync, by inode. */
  private readonly synced = new Map<number, { readonly bytes: number; readonly mtimeMs: number }>();
  private readonly open = new Map<number, string>();
  /** When each name was first made, in the world's time. */
  private readonly made = new Map<string, number>();

  /**
   * @param now the machine's clock, which dates files
   * @param worldNow the world's time, without jumps
   */
  constructor(root: string, now: () => number, worldNow: () => number) {
    this.root = root;
    this.now = now;
    this.worldNow = worldNow;
    this.shadow = join(root, '.shadow');
    real.mkdirSync(this.shadow, { recursive: true });
  }

  /** Whether a path is on this disk. */
  holds(path: string): boolean {
    return path === this.root || path.startsWith(`${this.root}/`);
  }

  /** When a name was first made; null where it never was. */
  madeAtMs(path: string): number | null {
    return this.made.get(path) ?? null;
  }

  openFile(path: string, flags: string): number {
    const isNew = !real.existsSync(path);
    const fd = real.openSync(path, flags);
    this.open.set(fd, path);
    if (isNew) {
      this.changed('create', path, [dirname(path)], () => real.rmSync(path, { force: true }));
      this.touch(path);
    } else if (flags.startsWith('w')) this.touch(path);
    return fd;
  }

  close(fd: number): void {
    this.open.delete(fd);
    real.closeSync(fd);
  }

  write(fd: number, bytes: Uint8Array, position: number | null): number {
    const written = real.writeSync(fd, bytes, 0, bytes.byteLength, position);
    const path = this.open.get(fd);
    if (path !== undefined) this.touch(path);
    return written;
  }

  /** Makes a file's bytes or a folder's names durable. */
  sync(fd: number): void {
    if (this.forgetsSyncs) return;
    const stat = real.fstatSync(fd);
    const path = this.open.get(fd) ?? '';
    if (stat.isDirectory()) this.namesLast(path);
    else this.synced.set(stat.ino, { bytes: stat.size, mtimeMs: stat.mtimeMs });
  }

  rename(from: string, to: string): void {
    const replaced = this.keep(to);
    real.renameSync(from, to);
    this.touch(to);
    this.changed('rename', to, [dirname(from), dirname(to)], () => {
      real.renameSync(to, from);
      this.restore(replaced, to);
    });
  }

  link(from: string, to: string): void {
    real.linkSync(from, to);
    this.touch(to);
    // A power cut may have undone the name before.
    this.made.set(to, this.worldNow());
    this.changed('link', to, [dirname(to)], () => real.rmSync(to, { force: true }));
  }

  unlink(path: string): void {
    const kept = this.keep(path);
    real.unlinkSync(path);
    this.changed('unlink', path, [dirname(path)], () => this.restore(kept, path));
  }

  makeFolder(path: string): void {
    real.mkdirSync(path);
    this.touch(path);
    this.changed('mkdir', path, [dirname(path)], () => real.rmSync(path, { recursive: true, force: true }), path);
  }

  removeFolder(path: string): void {
    real.rmdirSync(path);
    this.changed('rmdir', path, [dirname(path)], () => real.mkdirSync(path, { recursive: true }));
  }

  /** The file or folder at a path, its times in the machine's time. */
  stat(path: string, followsLinks: boolean): fs.Stats {
    const stat = followsLinks ? real.statSync(path) : real.lstatSync(path);
    return this.withTimes(stat);
  }

  statOpen(fd: number): fs.Stats {
    return this.withTimes(real.fstatSync(fd));
  }

  /** Whether a power cut now could take back the name. */
  isPending(path: string): boolean {
    const name = path.slice(this.root.length);
    return this.changes.some(({ what }) => what === `link ${name}` || what === `rename ${name}`);
  }

  /** Makes everything written so far durable, as some seconds without a crash do. */
  flush(): void {
    for (const name of real.readdirSync(this.shadow)) real.rmSync(join(this.shadow, name));
    this.changes = [];
    for (const path of this.files(this.root)) {
      const stat = real.lstatSync(path);
      this.synced.set(stat.ino, { bytes: stat.size, mtimeMs: stat.mtimeMs });
    }
  }

  /** Cuts power: the seed decides what is left of unsynced data. @param note receives what was lost, for the trace */
  crash(random: Random, note: (line: string) => void): void {
    const survival = [0, 0.5, 0.9][Math.floor(random() * 3)] as number;
    const lostIn = new Set<string>();
    const lost: NameChange[] = [];
    for (const change of this.changes) {
      const isDoomed = change.folders.some((folder) => isWithin(folder, lostIn));
      if (!isDoomed && random() < survival) continue;
      lost.push(change);
      for (const folder of change.folders) lostIn.add(folder);
      if (change.made !== null) lostIn.add(change.made);
    }
    for (const change of lost.reverse()) {
      note(`lost: ${change.what}`);
      try {
        change.undo();
      } catch {
        // Its folder was lost before.
      }
    }
    this.changes = [];
    for (const path of this.files(this.root).sort()) {
      const stat = real.lstatSync(path);
      const known = this.synced.get(stat.ino);
      const isClean = known !== undefined && known.bytes === stat.size && known.mtimeMs === stat.mtimeMs;
      if (isClean || !stat.isFile() || random() < survival) continue;
      const from = Math.min(known?.bytes ?? 0, stat.size);
      real.truncateSync(path, from + Math.floor(random() * (stat.size - from)));
      note(`lost: an end of ${path.slice(this.root.length)}`);
    }
    this.flush();
  }

  private namesLast(folder: string): void {
    const reached = new Set([folder]);
    const left: NameChange[] = [];
    for (const change of this.changes.toReversed()) {
      if (change.folders.some((each) => reached.has(each))) for (const each of change.folders) reached.add(each);
      else left.push(change);
    }
    this.changes = left.reverse();
  }

  private changed(
    call: string,
    path: string,
    folders: readonly string[],
    undo: () => void,
    made: string | null = null,
  ): void {
    this.changes.push({ what: `${call} ${path.slice(this.root.length)}`, folders, made, undo });
  }

  /** Keeps the content of a name before the name is removed. */
  private keep(path: string): string | null {
    // An empty folder may be replaced by a rename; it has no content to keep.
    if (!real.existsSync(path) || real.lstatSync(path).isDirectory()) return null;
    this.shadows += 1;
    const kept = join(this.shadow, String(this.shadows));
    real.linkSync(path, kept);
    return kept;
  }

  private restore(kept: string | null, path: string): void {
    if (kept === null || !real.existsSync(kept)) return;
    real.renameSync(kept, path);
  }

  private touch(path: string): void {
    if (!this.made.has(path)) this.made.set(path, this.worldNow());
    this.times.set(real.lstatSync(path).ino, this.now());
  }

  private withTimes(stat: fs.Stats): fs.Stats {
    // A file that DuckDB wrote has no time yet: it counts as changed when it is first examined.
    const atMs = this.times.get(stat.ino) ?? this.now();
    this.times.set(stat.ino, atMs);
    return Object.assign(stat, { mtimeMs: atMs, ctimeMs: atMs, mtime: new Date(atMs), ctime: new Date(atMs) });
  }

  private files(folder: string): string[] {
    return real.readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
      const path = join(folder, entry.name);
      if (path === this.shadow) return [];
      return entry.isDirectory() ? this.files(path) : [path];
    });
  }
}

function isWithin(folder: string, folders: ReadonlySet<string>): boolean {
  for (let at = folder; at.length > 1; at = dirname(at)) if (folders.has(at)) return true;
  return false;
}

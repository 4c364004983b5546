import fs, { type FileHandle } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';

/** File system calls that can be made to fail, as the lake uses them. `sync` is of an open file or folder. */
export type DiskCall = 'mkdir' | 'rename' | 'link' | 'open' | 'sync' | 'readdir' | 'readFile' | 'lstat' | 'rm';

/** The calls that fail, and the error. */
export interface DiskFault {
  readonly call: DiskCall;
  /** Or `SKIPPED`: the call does nothing and reports success. */
  readonly errno: string;
  /** Calls with a path for which this is true are counted. */
  readonly matches: (path: string) => boolean;
  /** The number of the call that fails, from 1; null: all from the first. */
  readonly nth: number | null;
}

type Call = (...args: never[]) => Promise<unknown>;
const original = fs as unknown as Record<string, Call>;

/**
 * Runs some work while calls of `node:fs/promises` fail, at the boundary of this process. Node's own misreading is
 * imitated: a recursive mkdir says ENOENT where the system said that the disk is full or broken.
 * @returns how many calls matched, and what the work returned or threw
 */
export async function onFailingDisk<T>(
  faults: readonly DiskFault[],
  work: () => Promise<T>,
): Promise<{ readonly calls: number; readonly outcome: { readonly value: T } | { readonly thrown: unknown } }> {
  const counts = faults.map(() => 0);
  const check = (call: DiskCall, path: string, options?: { readonly recursive?: boolean }) => {
    for (const [index, fault] of faults.entries()) {
      if (fault.call !== call || !fault.matches(path)) continue;
      counts[index] = (counts[index] ?? 0) + 1;
      if (fault.nth !== null && counts[index] !== fault.nth) continue;
      if (fault.errno === 'SKIPPED') return true;
      const isMisread = call === 'mkdir' && options?.recursive === true && fault.errno !== 'EACCES';
      throw diskError(isMisread ? 'ENOENT' : fault.errno, call, path);
    }
    return false;
  };
  const saved = new Map<string, Call>();
  const patch = (name: string, patched: (real: Call) => Call) => {
    const real = original[name] as Call;
    saved.set(name, real);
    original[name] = patched(real);
  };
  for (const call of ['mkdir', 'rename', 'link', 'readdir', 'readFile', 'lstat', 'rm'] as const) {
    patch(call, (real) => async (...args: never[]) => {
      // What a move makes is what fails, so renames and links go by their target.
      const path = String(args[call === 'rename' || call === 'link' ? 1 : 0]);
      if (check(call, path, args[1])) return undefined;
      return real(...args);
    });
  }
  patch('open', (real) => async (...args: never[]) => {
    const path = String(args[0]);
    check('open', path);
    const handle = (await real(...args)) as FileHandle;
    const sync = handle.sync.bind(handle);
    handle.sync = async () => {
      check('sync', path);
      await sync();
    };
    return handle;
  });
  syncBuiltinESMExports();
  try {
    return await work().then(
      (value) => ({ calls: Math.max(...counts), outcome: { value } }),
      (thrown) => ({ calls: Math.max(...counts), outcome: { thrown } }),
    );
  } finally {
    for (const [name, real] of saved) original[name] = real;
    syncBuiltinESMExports();
  }
}

function diskError(errno: string, call: DiskCall, path: string): Error {
  const syscall = { readdir: 'scandir', readFile: 'open', sync: 'fsync' }[call as string] ?? call;
  return Object.assign(new Error(`${errno}: injected, ${syscall} '${path}'`), { code: errno, syscall, path });
}

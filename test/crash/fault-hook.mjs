// Loaded by `node --import` before the command: counts what a process writes into a lake, and kills the process, stops
// it or lets the operation fail at one of these steps. The plan is JSON in EDRLAKE_TEST_FAULT; see FaultPlan in
// sweep-plan.ts.
import { createRequire, syncBuiltinESMExports } from 'node:module';

const require = createRequire(import.meta.url);
const fs = require('node:fs');
const plan = JSON.parse(process.env.EDRLAKE_TEST_FAULT ?? '{}');
const { root = '/', step: wantedStep = 0, matching = '', action = 'none', stepsFile = null } = plan;
const ERRNOS = { ENOSPC: -28, EIO: -5, EACCES: -13, EMFILE: -24, EROFS: -30 };
const stepsFd = stepsFile === null ? null : fs.openSync(stepsFile, 'a');
const { writeSync } = fs;
let steps = 0;

/** The action that is due for an operation on a path of the lake; null for none. */
function dueAt(kind, path) {
  if (typeof path !== 'string' || !path.startsWith(root)) return null;
  const name = `${kind} ${path.slice(root.length)}`;
  if (matching !== '' && !new RegExp(matching).test(name)) return null;
  steps += 1;
  if (stepsFd !== null) writeSync(stepsFd, `${steps} ${name}\n`);
  // A disk that has turned read-only stays so.
  const isDue = action === 'EROFS' ? wantedStep > 0 && steps >= wantedStep : steps === wantedStep;
  return isDue ? action : null;
}

/** The names of these calls in Node's errors, and whether the errors name the path. */
const CALLS = { append: 'write', remove: 'rm', write: 'open' };

function failure(errno, kind, path) {
  const syscall = CALLS[kind] ?? kind;
  const named = ['write', 'fsync'].includes(syscall) ? {} : { path };
  return Object.assign(new Error(`${errno}: made to fail, ${syscall}`), {
    ...{ code: errno, errno: ERRNOS[errno], syscall },
    ...named,
  });
}

/** The error that Node reports: its asynchronous mkdir -p reports most errors as a missing folder. */
function reported(errno, kind, options) {
  return kind === 'mkdir' && options?.recursive === true && ['ENOSPC', 'EIO'].includes(errno) ? 'ENOENT' : errno;
}

function die(signal) {
  process.kill(process.pid, signal);
}

function before(due, kind, path, options) {
  if (due === 'kill-before') die('SIGKILL');
  if (due === 'stop-before') die('SIGSTOP');
  if (due === 'interrupt') die('SIGINT');
  if (due in ERRNOS) throw failure(reported(due, kind, options), kind, path);
}

function wrapAsync(target, name, kind, pathOf) {
  const original = target[name];
  target[name] = async function (...args) {
    const path = pathOf.call(this, args);
    const due = path === null ? null : dueAt(kind, path);
    if (due === null) return original.apply(this, args);
    before(due, kind, path, args[1]);
    try {
      return await original.apply(this, args);
    } finally {
      if (due === 'kill-after') die('SIGKILL');
    }
  };
}

function wrapSync(name, kind, pathOf) {
  const original = fs[name];
  fs[name] = function (...args) {
    const path = pathOf(args);
    const due = path === null ? null : dueAt(kind, path);
    if (due !== null) before(due, kind, path, {});
    try {
      return original.apply(this, args);
    } finally {
      if (due === 'kill-after') die('SIGKILL');
    }
  };
}

const text = (value) => (typeof value === 'string' ? value : (value?.toString() ?? null));
const first = ([path]) => text(path);
const second = ([, path]) => text(path);
const isWriting = (flags) => typeof flags === 'string' && /[wa+]/.test(flags);
const openedForWriting = ([path, flags]) => (isWriting(flags) ? text(path) : null);

const handlePaths = new WeakMap();
const { open } = fs.promises;
let isPatched = false;

/** The class of file handles can only be reached through a handle. */
function patchHandles(handle) {
  if (isPatched) return;
  isPatched = true;
  const prototype = Object.getPrototypeOf(handle);
  const pathOf = function () {
    return handlePaths.get(this) ?? null;
  };
  wrapAsync(prototype, 'sync', 'fsync', pathOf);
  wrapAsync(prototype, 'datasync', 'fsync', pathOf);
  wrapAsync(prototype, 'appendFile', 'append', pathOf);
}

fs.promises.open = async (...args) => {
  const handle = await open(...args);
  patchHandles(handle);
  handlePaths.set(handle, text(args[0]));
  return handle;
};
wrapAsync(fs.promises, 'open', 'open', openedForWriting);
wrapAsync(fs.promises, 'link', 'link', second);
wrapAsync(fs.promises, 'rename', 'rename', second);
wrapAsync(fs.promises, 'rm', 'remove', first);
wrapAsync(fs.promises, 'unlink', 'remove', first);
wrapAsync(fs.promises, 'mkdir', 'mkdir', first);
wrapAsync(fs.promises, 'writeFile', 'write', first);
for (const [name, kind, pathOf] of [
  ['linkSync', 'link', second],
  ['renameSync', 'rename', second],
  ['rmSync', 'remove', first],
  ['unlinkSync', 'remove', first],
  ['mkdirSync', 'mkdir', first],
  ['writeFileSync', 'write', first],
]) {
  wrapSync(name, kind, pathOf);
}

/**
 * parquetjs-lite writes its files by streams: each is a step. One that cannot be opened fails there, one that meets a
 * full or broken disk with its first bytes.
 */
const { createWriteStream } = fs;
fs.createWriteStream = (path, options) => {
  const due = dueAt('stream', text(path));
  if (due !== null && !(due in ERRNOS)) before(due, 'stream', path, {});
  const failing =
    due === 'EACCES' || due === 'EMFILE' || due === 'EROFS'
      ? { open: (_path, _flags, _mode, done) => done(failure(due, 'open', path)) }
      : due in ERRNOS
        ? {
            write: (...args) => args.at(-1)(failure(due, 'write', path)),
            writev: (...args) => args.at(-1)(failure(due, 'write', path)),
          }
        : null;
  const given = typeof options === 'string' ? { encoding: options } : options;
  const stream = createWriteStream(path, failing === null ? options : { ...given, fs: { ...fs, ...failing } });
  if (due === 'kill-after') stream.on('close', () => die('SIGKILL'));
  return stream;
};
syncBuiltinESMExports();

/** DuckDB's words for these errors. */
const SAID = {
  ENOSPC: 'No space left on device',
  EIO: 'Input/output error',
  EACCES: 'Permission denied',
  EMFILE: 'Too many open files',
  EROFS: 'Read-only file system',
};

/** DuckDB writes Parquet files itself: each COPY into the lake is a step. */
const copied = (sql) => /^\s*COPY[\s\S]* TO '([^']+)'/.exec(String(sql))?.[1] ?? null;

function wrapStatement(original) {
  return async function (connection, sql, ...rest) {
    const path = copied(sql);
    const due = path === null ? null : dueAt('parquet', path);
    if (due in SAID) throw new Error(`IO Error: Could not write file "${path}": ${SAID[due]}`);
    if (due !== null) before(due, 'parquet', path, {});
    const result = await original.call(this, connection, sql, ...rest);
    if (due === 'kill-after') die('SIGKILL');
    return result;
  };
}

const bindings = require('@duckdb/node-bindings');
const statements = { query: wrapStatement(bindings.query), prepare: wrapStatement(bindings.prepare) };
// The module's exports are read-only; the command gets the ones in the cache.
const descriptors = Object.getOwnPropertyDescriptors(bindings);
for (const [name, value] of Object.entries(statements)) descriptors[name] = { ...descriptors[name], value };
require.cache[require.resolve('@duckdb/node-bindings')].exports = Object.create(null, descriptors);

import type { PlantedBug } from './planted-bug.ts';

/** Bugs in what lakes in object stores and published tables promise. */
export const OBJECTS: readonly PlantedBug[] = [
  {
    name: 'objects-take-412-as-success',
    effect: 'takes the version of another writer for its own',
    file: 'packages/lake/src/object-store/s3-object-store.ts',
    find: "if (answer === 'taken' && doubt === null) return 'taken';",
    replace: "if (answer === 'taken' && doubt === null) return 'created';",
    tests: ['packages/lake/test/object-store.contract.test.ts'],
  },
  {
    name: 'objects-repeat-an-unknown-outcome-blindly',
    effect:
      'sends a commit again without looking whether the first attempt was carried out, and takes its own for another',
    file: 'packages/lake/src/object-store/s3-object-store.ts',
    find: "if (found !== null) return found.equals(body) ? 'created' : 'taken';",
    replace: "if (answer === 'taken') return 'taken';",
    tests: ['packages/lake/test/object-store.contract.test.ts'],
  },
  {
    name: 'objects-believe-any-copy',
    effect: 'reads copies whose bytes are not those that the log names',
    file: 'packages/lake/src/object-store/file-cache.ts',
    find: 'return file.crc32 === undefined || found.crc32 === file.crc32;',
    replace: 'return true;',
    tests: ['packages/lake/test/object-lake.commits.test.ts'],
  },
  {
    name: 'objects-believe-a-damaged-log-copy',
    effect: 'believes a copy of the log that a power cut has left in part',
    file: 'packages/lake/src/object-store/file-cache.ts',
    find: 'return sum === sumOf(content) ? content : null;',
    replace: "return sum === '' ? null : content;",
    tests: ['packages/lake/test/object-lake.commits.test.ts'],
  },
  {
    name: 'objects-query-without-some-tables',
    effect: 'shows a table as empty that a statement names by a text',
    file: 'packages/lake/src/reading/named-tables.ts',
    find: 'return BY_TEXT.test(sql) || new RegExp',
    replace: 'return new RegExp',
    tests: ['packages/lake/test/query.objects.test.ts'],
  },
  {
    name: 'objects-demanded-httpfs-reads-copies',
    effect: 'downloads whole files although httpfs was demanded, and cannot be loaded',
    file: 'packages/lake/src/reading/direct-reading.ts',
    find: "if (refusal !== null && way === 'auto') return",
    replace: 'if (refusal !== null) return',
    tests: ['packages/lake/test/query.reads.test.ts'],
  },
  {
    name: 'objects-direct-404-is-always-a-lost-file',
    effect: 'calls a lake damaged whose file was replaced while a query ran',
    file: 'packages/lake/src/reading/direct-reading.ts',
    find: 'path === null || isOfNewest',
    replace: 'path === null || isOfNewest || true',
    tests: ['packages/lake/test/query.reads.test.ts'],
  },
  {
    name: 'rebuild-without-claim',
    effect: 'replaces a log that another writer has continued meanwhile',
    file: 'packages/lake/src/recovery/replace-log.ts',
    find: 'if (store.remote !== null && !(await store.putIfAbsent(claim, rebuildingText(runId)))) throw',
    replace: 'if (store.remote !== null && !(await store.putIfAbsent(oldLog, rebuildingText(runId)))) throw',
    tests: ['packages/lake/test/object-lake.rebuilding.test.ts'],
  },
  {
    name: 'rebuild-gives-its-claim-back',
    effect: 'loses a commit that found its version free before the log was rebuilt',
    file: 'packages/lake/src/recovery/replace-log.ts',
    find: 'for (const move of [...logMoves, ...manifestMoves]) await copyAndRemove(store, move);',
    replace:
      'for (const move of [...logMoves, ...manifestMoves]) await copyAndRemove(store, move);\n    await store.remove(claim);',
    tests: ['packages/lake/test/object-lake.rebuilding.test.ts'],
  },
  {
    name: 'rebuild-with-replaced-files',
    effect: 'brings rows back that were replaced, from files that wait for a vacuum',
    file: 'packages/lake/src/recovery/replace-log.ts',
    find: 'if (isWhole) for (const path of removed) replaced.add(path);',
    replace: 'if (!isWhole) for (const path of removed) replaced.add(path);',
    tests: ['packages/lake/test/object-lake.rebuilding.test.ts'],
  },
  {
    name: 'delta-skip-removed-files',
    effect: 'leaves replaced files in the Delta tables',
    file: 'packages/lake/src/open-tables/delta/delta.ts',
    find: '...removed.map((file) => removeAction(file, table, version)),',
    replace: '...removed.slice(removed.length).map((file) => removeAction(file, table, version)),',
    tests: ['packages/lake/test/publish-objects.history.test.ts'],
  },
  {
    name: 'delta-version-before-its-data',
    effect: 'publishes a version of a table before readers can find its files',
    file: 'packages/lake/src/open-tables/delta/delta.ts',
    find: `requireFiles(await home.provide(added, removedBy), live);
      const step = { table, version, claim, isFirst, isNewSchema: isNewSchema(before, version, table) };
      isWritten = (await writeVersion(tools, step, added)) || isWritten;`,
    replace: `const step = { table, version, claim, isFirst, isNewSchema: isNewSchema(before, version, table) };
      isWritten = (await writeVersion(tools, step, added)) || isWritten;
      requireFiles(await home.provide(added, removedBy), live);`,
    tests: ['packages/lake/test/publish-delta.history.test.ts'],
  },
  {
    name: 'iceberg-snapshot-without-its-data',
    effect: 'publishes snapshots of a table whose files readers cannot find',
    file: 'packages/lake/src/open-tables/iceberg/iceberg.ts',
    find: 'requireFiles(await home.provide(added, removedBy), live);',
    replace: 'requireFiles(await home.provide([], removedBy), live);',
    tests: ['packages/lake/test/publish-iceberg.history.test.ts'],
  },
  {
    name: 'copies-of-a-lost-log',
    effect: 'shows commits that only copies on this machine still have, because an older log was restored',
    file: 'packages/lake/src/log/commit-log.ts',
    find: 'return !(isCheckpoint ? there.checkpoints : there.entries).has(version);',
    replace: 'return false;',
    tests: ['packages/lake/test/object-lake.restored.test.ts'],
  },
  {
    name: 'copy-of-a-lost-commit',
    effect: 'takes a copy for the newest commit, which is another one since an older log was restored',
    file: 'packages/lake/src/log/commit-log.ts',
    find: 'if (store.remote !== null && !(await store.remote.isCopyAsListed(path)))',
    replace: 'if (store.remote === undefined)',
    tests: ['packages/lake/test/object-lake.restored.test.ts'],
  },
  {
    name: 'checkpoint-of-a-lost-log',
    effect: 'takes the copy of a checkpoint for the log, which has another commit of that version',
    file: 'packages/lake/src/log/commit-log.ts',
    find: 'if (newest !== null && state.commitId !== null && newest.commitId !== state.commitId) await another();',
    replace: 'void newest;',
    tests: ['packages/lake/test/object-lake.restored.test.ts'],
  },
];

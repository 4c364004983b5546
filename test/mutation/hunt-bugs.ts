import type { PlantedBug } from './planted-bug.ts';

const ANSWERS = ['packages/lake/test/hunt.answers.test.ts'];
const STANDING = ['packages/lake/test/standing.keeping.test.ts'];
const INDEX = ['packages/lake/test/value-index.answers.test.ts'];

/** Bugs by which "not seen" would say more than is known. */
export const HUNTING: readonly PlantedBug[] = [
  {
    name: 'hunt-in-damaged-files',
    effect: 'calls a value not seen although the file that held it has other bytes now',
    file: 'packages/lake/src/hunt/hunt.ts',
    find: '...(await damagedFiles(store, read)).map(',
    replace: '...(await damagedFiles(store, [])).map(',
    tests: ANSWERS,
  },
  {
    name: 'prove-refuted-times',
    effect: 'calls a time proven on a day that contradicts its proofs',
    file: 'packages/lake/src/hunt/hunt-coverage.ts',
    find: '.filter(isRefuted)',
    replace: ".filter(({ verdict }) => verdict === 'rejected' && isRefuted({ verdict }))",
    tests: ANSWERS,
  },
  {
    name: 'forget-rejects-in-a-hunt',
    effect: 'calls a value not seen although a record that became a reject holds it',
    file: 'packages/lake/src/hunt/hunt.ts',
    find: "const unseen = rejects > 0 ? 'unknown' : 'not seen';",
    replace: "const unseen = rejects < 0 ? 'unknown' : 'not seen';",
    tests: ANSWERS,
  },
  {
    name: 'leave-unknown-files-out',
    effect: 'does not read files that the index of values does not know',
    file: 'packages/lake/src/value-index/look-up.ts',
    find: 'return !isKnown || holding.has(path);',
    replace: 'return holding.has(path);',
    tests: INDEX,
  },
  {
    name: 'believe-damaged-value-index',
    effect: 'asks a file of the index of values that is missing or damaged',
    file: 'packages/lake/src/value-index/look-up.ts',
    find: 'if (await isIntactFor(store, segment, numbers)) intact.push(segment);',
    replace: 'if ((await isIntactFor(store, segment, numbers)) || numbers !== undefined) intact.push(segment);',
    tests: INDEX,
  },
  {
    name: 'believe-damaged-part-of-value-index',
    effect: 'asks a part of a file of the index that has other bytes now',
    file: 'packages/lake/src/value-index/index-parts.ts',
    find: 'const isAsked = part.keys === null || keys.some(',
    replace: 'const isAsked = part.keys === null || keys.every(',
    tests: ['packages/lake/test/value-index.parts.test.ts'],
  },
  {
    name: 'index-names-whole',
    effect: 'finds a domain in the index, and none of the names below it',
    file: 'packages/lake/src/value-index/index-keys.ts',
    find: "if (observable === 'domain') return namesAboveSql(value);",
    replace: "if (observable === 'host') return namesAboveSql(value);",
    tests: INDEX,
  },
  {
    name: 'hunt-new-indicators-in-new-files',
    effect: 'does not look into the past when an indicator is added to a list',
    file: 'packages/lake/src/standing/keep-hunts.ts',
    find: 'await hunt(added, [...files.known, ...files.fresh])',
    replace: 'await hunt(added, files.fresh)',
    tests: STANDING,
  },
  {
    name: 'believe-damaged-files-in-standing-hunts',
    effect: 'counts a file with other bytes than were committed as looked at for a new indicator',
    file: 'packages/lake/src/standing/keep-hunts.ts',
    find: 'const known = files.known.filter((file) => !bad.has(file));',
    replace: 'const known = files.known.filter((file) => bad.size > 1e9 || file !== null);',
    tests: STANDING,
  },
  {
    name: 'find-matches-anew-after-rewrites',
    effect: 'reports a match again when its file was rewritten',
    file: 'packages/lake/src/standing/standing-sql.ts',
    find: 'coalesce(b.generation, a.generation) AS generation)',
    replace: 'a.generation AS generation)',
    tests: STANDING,
  },
  {
    name: 'believe-in-a-lost-race',
    effect: 'loses a list that was taken in while another process was first',
    file: 'packages/lake/src/standing/keep-hunts.ts',
    find: 'if (await writeHuntState(store, state)) {',
    replace: 'if ((await writeHuntState(store, state)) || state.generation > 0) {',
    tests: STANDING,
  },
  {
    name: 'vacuum-matches-in-use',
    effect: 'removes the matches of standing hunts once they are a week old',
    file: 'packages/lake/src/maintenance/vacuum.ts',
    find: '!texts.some((text) => text?.includes(name) === true)',
    replace: '!texts.every((text) => text?.includes(name) === false)',
    tests: ['packages/lake/test/vacuum.leftovers.test.ts'],
  },
];

import { areMatchesWhole, readHuntState } from '../standing/hunt-state.ts';
import { damagedFiles } from '../storage/checksum.ts';
import { FOLDERS } from '../storage/layout.ts';
import { hasIndex, readSegments } from '../value-index/index-files.ts';
import type { Examination, LakeDamage } from './lake-damage.ts';

/** What is damaged of the value index and of standing hunts. Both are derived, and no answer is wrong without them. */
export async function examineDerived(examination: Examination): Promise<LakeDamage[]> {
  return [...(await examineValueIndex(examination)), ...(await examineHunts(examination))];
}

async function examineValueIndex({ store, tables }: Examination): Promise<LakeDamage[]> {
  if (!(await hasIndex(store))) return [];
  const segments = await readSegments(store, tables);
  const damaged = segments === null ? [] : await damagedFiles(store, segments);
  if (segments !== null && damaged.length === 0) return [];
  const [first] = damaged;
  return [
    {
      part: 'values',
      found:
        first === undefined
          ? `${FOLDERS.values} is not whole, or is an index of other columns`
          : `${first.path} is missing or damaged`,
      means: 'Hunts do not use it and read every file instead, so they are slower and miss nothing.',
      command: 'edrlake index --rebuild',
      paths: first === undefined ? [FOLDERS.values] : damaged.map(({ path }) => path),
    },
  ];
}

async function examineHunts({ store }: Examination): Promise<LakeDamage[]> {
  if ((await store.list(FOLDERS.hunts)).length === 0) return [];
  const state = await readHuntState(store);
  if (state !== null && (await areMatchesWhole(store, state))) return [];
  return [
    {
      part: 'hunts',
      found:
        state === null
          ? `no document in ${FOLDERS.hunts} is whole`
          : `${FOLDERS.hunts}/${state.matches} is missing or damaged`,
      means: 'hunt_matches has not all matches. The command hunts the lists in the folder hunts again.',
      command: 'edrlake hunt --standing',
      paths: [state === null ? FOLDERS.hunts : `${FOLDERS.hunts}/${state.matches}`],
    },
  ];
}

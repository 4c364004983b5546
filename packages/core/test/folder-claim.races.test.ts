import { existsSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type ClaimTerms, claimFolder, EdrlakeError, type ProcessTable, seededRandom } from '../src/index.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'edrlake-claim-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const claim = (processes: ProcessTable, terms: Partial<ClaimTerms> = {}) =>
  claimFolder(folder, {
    name: '_claim',
    refusal: (holder) => new EdrlakeError('USAGE', `${holder?.state} ${holder?.owner?.pid} ${holder?.file}`),
    diskRefusal: (_, thrown) => thrown,
    processes,
    ...terms,
  });

/** The processes of one machine, seen by one of them. */
const processTable = (pid: number, dead: ReadonlySet<number>): ProcessTable => ({
  current: () => ({ host: 'here', pid, startIdentity: 'boot' }),
  stateOf: (owner) => (owner.host === 'here' ? (dead.has(owner.pid) ? 'dead' : 'alive') : 'elsewhere'),
});

async function refusal(claim: Promise<unknown>): Promise<string> {
  const thrown = await claim.then(
    () => 'claimed',
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(EdrlakeError);
  return (thrown as EdrlakeError).message;
}

it('refuses a second export with the process that has the folder, until that gives it back', async () => {
  const giveBack = await claim(processTable(1, new Set()));
  const text = await refusal(claim(processTable(2, new Set())));
  expect(text).toBe(`alive 1 ${join(folder, '_claim.1.json')}`);
  await giveBack();
  await (await claim(processTable(2, new Set())))();
  expect(await readdir(folder)).toEqual([]);
});

it('takes the folder of a dead process over, with what it left half-written', async () => {
  await claim(processTable(1, new Set()));
  await writeFile(join(folder, '_claim.01234567-89ab-cdef-0123-456789abcdef.part'), '{"pid"');
  await writeFile(join(folder, 'events-2020-08-17.parquet.partial'), 'not of the claim');
  await (await claim(processTable(2, new Set([1]))))();
  expect(await readdir(folder)).toEqual(['events-2020-08-17.parquet.partial']);
});

it.each([
  ['{"host":"there","pid":7,"startIdentity":"x"}', 'elsewhere 7'],
  ['', 'elsewhere undefined'],
])('names the file to remove where nothing says whether the owner is alive: %s', async (text, problem) => {
  const file = join(folder, '_claim.4.json');
  await writeFile(file, text);
  const refused = await refusal(claim(processTable(1, new Set())));
  expect(refused).toBe(`${problem} ${file}`);
});

it('gives way to a process that claimed another number after the claims were read', async () => {
  const [first, second] = [join(folder, '_claim.1.json'), join(folder, '_claim.2.json')];
  await claim(processTable(1, new Set()));
  const dead = new Set([1]);
  const slow = processTable(3, dead);
  // Between its look at the first claim and its own: others took the folder over, ended, and began anew.
  const stateOf: ProcessTable['stateOf'] = (owner) => {
    if (owner.pid === 1) writeFileSync(first, JSON.stringify(processTable(2, dead).current()));
    return slow.stateOf(owner);
  };
  expect(await refusal(claim({ ...slow, stateOf }))).toContain('alive 2');
  expect([existsSync(first), existsSync(second)]).toEqual([true, false]);
});

it('is never held by two of many that come, leave and die', async () => {
  const random = seededRandom(7);
  const dead = new Set<number>();
  let [holder, claimed, refused, pids]: [number | null, number, number, number] = [null, 0, 0, 0];
  const worker = async () => {
    for (let turn = 0; turn < 60; turn += 1) {
      pids += 1;
      const pid = pids;
      const giveBack = await claim(processTable(pid, dead)).catch(() => null);
      if (giveBack === null) {
        refused += 1;
        // It has ended, and left nothing.
        dead.add(pid);
        continue;
      }
      expect(holder, 'the process that has the folder').toBe(null);
      holder = pid;
      claimed += 1;
      await readdir(folder);
      holder = null;
      if (random() < 0.5) await giveBack();
      dead.add(pid);
    }
  };
  await Promise.all([worker(), worker(), worker(), worker()]);
  // How many of each depends on how busy the machine is; without both there was no race.
  expect(claimed).toBeGreaterThan(1);
  expect(refused).toBeGreaterThan(1);
  await (await claim(processTable(pids + 1, dead)))();
  expect(await readdir(folder)).toEqual([]);
});

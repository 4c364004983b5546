import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { definePart, installCopy, output, run, TOP } from '../part.ts';

const TOOL = join(TOP, 'tools/api-reference');
const DOORS = ['arrow', 'index', 'simulator', 'testing'];
const LIBRARY = join(TOP, 'packages/edrlake/bundle/library');

interface Reflection {
  readonly name: string;
  readonly children?: readonly Reflection[];
}

/** Typedoc in a folder of its own, as locked. @returns that folder */
async function install(folder: string): Promise<string> {
  await installCopy(TOOL, folder, 'typedoc');
  return folder;
}

definePart('api-reference', install, (folder) => {
  const typedoc = (...args: string[]) =>
    run(process.execPath, [join(folder(), 'node_modules/typedoc/bin/typedoc'), ...args], { cwd: folder() });

  /** The settings of the tool, for a copy of the library's types beside it. */
  const settingsFor = async (name: string) => {
    const at = join(folder(), name);
    await rm(at, { recursive: true, force: true });
    await mkdir(at);
    await cp(LIBRARY, join(at, 'library'), { recursive: true });
    const settings = JSON.parse(await readFile(join(TOOL, 'typedoc.json'), 'utf8')) as object;
    const tsconfig = JSON.parse(await readFile(join(TOOL, 'tsconfig.json'), 'utf8')) as object;
    const files = DOORS.map((door) => join(at, 'library', `${door}.d.ts`));
    await writeFile(join(at, 'tsconfig.json'), JSON.stringify({ ...tsconfig, files }));
    const own = { entryPoints: files, basePath: join(at, 'library'), readme: 'none', out: join(at, 'out') };
    await writeFile(
      join(at, 'typedoc.json'),
      JSON.stringify({ ...settings, ...own, tsconfig: join(at, 'tsconfig.json') }),
    );
    return at;
  };

  test('is built without a warning, and has everything that the package exports', async () => {
    const at = await settingsFor('built');
    const { exitCode, stdout, stderr } = await typedoc(
      '--options',
      at,
      '--json',
      join(at, 'api.json'),
      '--html',
      join(at, 'out'),
    );
    expect(exitCode, stdout + stderr).toBe(0);
    const project = JSON.parse(await readFile(join(at, 'api.json'), 'utf8')) as Reflection;
    const doors = new Map(
      project.children?.map(({ name, children = [] }) => [name, children.map((each) => each.name)]),
    );
    expect([...doors.keys()].toSorted()).toEqual(DOORS);
    expect(doors.get('index')).toEqual(expect.arrayContaining(['openLake', 'backfill', 'Lake', 'ExportReport']));
    expect(await readFile(join(at, 'out/functions/index.backfill.html'), 'utf8')).toContain('exactly once');
  });

  test('notices an export without a docstring, and a link that leads nowhere', async () => {
    const at = await settingsFor('broken');
    const door = join(at, 'library/index.d.ts');
    const broken = 'export interface Bare {}\n/** See {@link nowhere}. */\nexport interface Linked {}\n';
    await writeFile(door, (await readFile(door, 'utf8')) + broken);
    const { exitCode, stdout, stderr } = await typedoc('--options', at);
    expect(exitCode).not.toBe(0);
    expect(stdout + stderr).toMatch(/Bare.* does not have any documentation/);
    expect(stdout + stderr).toMatch(/nowhere/);
    expect(stdout + stderr).toMatch(/2 warnings/);
  });

  test('npm run api-reference writes it', async () => {
    await output('npm', ['run', '--silent', 'api-reference'], { cwd: TOP });
    expect(await readFile(join(TOP, '.api-reference/index.html'), 'utf8')).toContain('edrlake');
  });
});

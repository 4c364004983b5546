import { cp, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { linkCommitted } from '../../packages/lake/test/committed-files.ts';
import { IN_OBJECTS, writeObjects } from '../../packages/lake/test/lake-homes.ts';
import { S3_KEY } from '../../packages/lake/test/object-address.ts';
import { type S3Server, startS3Server } from '../../packages/lake/test/s3-server.ts';
import { type CommandOptions, inPlainDuckDb, runJson } from './command.ts';
import { EDR, type TrueDataset } from './lake-truth.ts';

/** Where the commands of a test keep a lake. */
export interface LakeHome {
  /** `--lake` and what goes with it. */
  readonly args: readonly string[];
  /** What the environment has to say. */
  readonly env: Readonly<Record<string, string>>;
  /** The folder of what belongs to this machine: unfinished work, leases, runs. */
  readonly work: string;
  /** A folder with the files of the newest version, as any engine finds them. */
  files(): Promise<string>;
  /** Rows of a statement over the views; every value as text, NULL as null. */
  viaViews(sql: string): Promise<(string | null)[][]>;
  /** Removes a file of the lake, as a person would. @param path relative to the lake */
  lose(path: string): Promise<void>;
  /** A copy of all of it below another folder. */
  copyTo(root: string): Promise<LakeHome>;
  /** null for a lake on a disk. */
  readonly place: S3Place | null;
  close(): Promise<void>;
}

/** Where the lakes of a suite are. */
export interface LakeHomes {
  readonly name: string;
  /** @param root a folder that the test removes */
  at(root: string, dataset: TrueDataset): Promise<LakeHome>;
}

/** An S3 server that can be disturbed, whose objects can be read without it. */
export interface S3Place extends Pick<S3Server, 'url' | 'requests' | 'fault' | 'close'> {
  readonly key: { readonly accessKeyId: string; readonly secretAccessKey: string };
  /** Writes or links all objects whose keys begin with `PREFIX/` into a folder, below the rest of their keys. */
  objectsInto(prefix: string, folder: string): Promise<void>;
  delete(key: string): Promise<void>;
  /** Another server, with the same objects. */
  copy(): Promise<S3Place>;
}

const PREFIX = 'edr';

/** Lakes in folders of this machine. */
export const FOLDERS: LakeHomes = {
  name: 'a folder',
  at: async (root, dataset) => folderHome(join(root, 'lake'), dataset),
};

function folderHome(folder: string, dataset: TrueDataset): LakeHome {
  // As the command places it below the folder that it gets.
  const lake = dataset === EDR ? folder : join(folder, dataset.name);
  return {
    args: ['--lake', folder, '--dataset', dataset.name],
    ...{ env: {}, work: lake, place: null },
    files: async () => lake,
    viaViews: (sql) => inPlainDuckDb(sql, join(lake, 'lake.duckdb')),
    lose: (path) => rm(join(lake, path)),
    copyTo: async (root) => {
      const copy = join(root, 'lake');
      await cp(folder, copy, { recursive: true });
      return folderHome(copy, dataset);
    },
    close: async () => {},
  };
}

/** Lakes in object stores, each in one of its own. @param start starts an empty one with a bucket `lake` */
export function inObjectStores(name: string, start: () => Promise<S3Place>): LakeHomes {
  return { name, at: async (root, dataset) => objectHome(await start(), join(root, 'work'), dataset) };
}

/** The lake of a server, which ends when it is closed. */
function objectHome(place: S3Place, work: string, dataset: TrueDataset): LakeHome {
  const { accessKeyId, secretAccessKey } = place.key;
  const env = {
    ...{ AWS_ENDPOINT_URL: place.url, AWS_REGION: 'us-east-1' },
    ...{ AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey },
  };
  const args = ['--lake', `s3://lake/${PREFIX}`, '--work', work, '--dataset', dataset.name];
  const options: CommandOptions = { env };
  const prefix = dataset === EDR ? PREFIX : `${PREFIX}/${dataset.name}`;
  const made: string[] = [];
  return {
    ...{ args, env, work, place },
    files: async () => {
      const folder = await mkdtemp(join(tmpdir(), 'edrlake-objects-'));
      made.push(folder);
      await place.objectsInto(prefix, join(folder, 'all'));
      await mkdir(join(folder, 'newest'));
      await linkCommitted(join(folder, 'all'), join(folder, 'newest'));
      return join(folder, 'newest');
    },
    viaViews: async (sql) => {
      const texts = `SELECT columns(*)::VARCHAR FROM (${sql})`;
      const rows = (await runJson(['query', texts, ...args], options)) as unknown as Record<string, string | null>[];
      return rows.map((row) => Object.values(row));
    },
    lose: (path) => place.delete(`${prefix}/${path}`),
    copyTo: async (root) => {
      await cp(work, join(root, 'work'), { recursive: true });
      return objectHome(await place.copy(), join(root, 'work'), dataset);
    },
    close: async () => {
      await place.close();
      for (const folder of made) await rm(folder, { recursive: true, force: true });
    },
  };
}

/** A server in this process. */
async function placeHere(objects: S3Server['objects'] = new Map()): Promise<S3Place> {
  const server = await startS3Server();
  for (const [key, object] of objects) server.objects.set(key, object);
  return Object.assign(server, {
    key: S3_KEY,
    copy: () => placeHere(server.objects),
    delete: async (key: string) => void server.objects.delete(key),
    objectsInto: (prefix: string, folder: string) => writeObjects(server.objects, prefix, folder),
  });
}

/** Lakes in object stores of this process. */
export const OBJECTS_HERE: LakeHomes = inObjectStores('an object store', placeHere);

/** Where the suites that need nothing but Node keep their lakes in this run of the tests. */
export const HOMES: LakeHomes = IN_OBJECTS ? OBJECTS_HERE : FOLDERS;

import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, totalmem, type } from 'node:os';
import { version as duckDbVersion } from '@duckdb/node-api';
import { mebibytes } from './text.ts';

/** The machine and the versions of a measurement. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryMiB: number;
  readonly system: string;
  readonly node: string;
  readonly duckdb: string;
  readonly edrlake: string;
}

/** This machine and the versions in use. */
export function thisMachine(): Machine {
  const manifest = new URL('../package.json', import.meta.resolve('@edrlake/cli'));
  const { version } = JSON.parse(readFileSync(manifest, 'utf8')) as { version: string };
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryMiB: Math.round(mebibytes(totalmem())),
    system: `${type()} ${release()}`,
    node: process.version,
    duckdb: duckDbVersion(),
    edrlake: version,
  };
}

/** Two lines to print. */
export function machineText({ cpu, cores, memoryMiB, system, node, duckdb, edrlake }: Machine): string {
  const memory = `${Math.round(memoryMiB / 1024)} GiB`;
  return `${cpu}, ${cores} cores, ${memory}, ${system}\nnode ${node}, duckdb ${duckdb}, edrlake ${edrlake}`;
}

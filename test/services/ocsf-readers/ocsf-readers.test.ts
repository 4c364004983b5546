import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CLASSES, OBJECTS, OCSF_VERSIONS, type OcsfVersion, type Shape, shapeOf } from '@edrlake/ocsf';
import { backfill, openLake } from 'edrlake';
import { startTestGateway } from 'edrlake/testing';
import { expect, test } from 'vitest';
import { definePart, installPython, output, TOP } from '../part.ts';

const PACKAGES = ['ocsf-json-schema==1.2.0', 'jsonschema==4.25.1', 'pyarrow==26.0.1', 'polars==2.1.0', 'duckdb==2.0.1'];

/** The facts of the project in one version, as JSON. */
function factsOf(version: OcsfVersion): string {
  const plain = ({ attributes, atLeastOne }: Shape) => ({ attributes: [...attributes.values()], atLeastOne });
  const classes = CLASSES.map((facts) => [facts.name, plain(shapeOf(facts, version))] as const);
  const objects = Object.entries(OBJECTS).map(([name, facts]) => [name, plain(shapeOf(facts, version))] as const);
  return JSON.stringify({ classes: Object.fromEntries(classes), objects: Object.fromEntries(objects) });
}

interface Found {
  readonly classes: Readonly<Record<string, number>>;
  readonly faults: Readonly<Record<string, number>>;
  /** For each file: rows as pyarrow, its row groups, DuckDB and polars count them, and ids. */
  readonly counts: readonly (readonly number[])[];
  readonly facts: readonly string[];
}

definePart(
  'ocsf-readers',
  (folder) => installPython(folder, PACKAGES),
  (python) => {
    test.each(OCSF_VERSIONS)(
      'OCSF %s: events are valid by the published schema, and every reader opens them',
      async (version) => {
        const folder = await mkdtemp(join(tmpdir(), 'edrlake-ocsf-'));
        try {
          const day = '2020-08-17';
          await using gateway = await startTestGateway({ events: 3_000, from: day, to: day, seed: 5 });
          const lake = await openLake(join(folder, 'lake'));
          await backfill(lake, gateway.source, { from: day, to: day });
          await lake.close();
          const program = join(TOP, 'packages/edrlake/bin/edrlake.js');
          const choice = ['--ocsf-version', version, '--layout', 'security-lake', '--region', 'eu-central-1'];
          await output(process.execPath, [program, 'publish', 'ocsf', ...choice, '--to', 'target'], { cwd: folder });
          await writeFile(join(folder, 'facts.json'), factsOf(version));
          const script = join(TOP, 'test/services/ocsf-readers/check_ocsf.py');
          const text = await output(python(), [script, join(folder, 'target'), version, 'facts.json'], { cwd: folder });
          const { classes, faults, counts, facts } = JSON.parse(text) as Found;
          expect(facts).toEqual([]);
          expect(faults).toEqual({});
          for (const [first, ...others] of counts) expect(others).toEqual(others.map(() => first));
          const { 2004: findings = 0, ...events } = classes;
          expect(Object.values(events).reduce((sum, count) => sum + count, 0)).toBe(3_000);
          expect(findings).toBeGreaterThan(0);
          expect(Object.keys(events).sort()).toEqual(['1001', '1003', '1007', '201002', '4001']);
        } finally {
          await rm(folder, { recursive: true, force: true });
        }
      },
    );
  },
);

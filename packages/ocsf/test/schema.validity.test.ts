import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quoteName, rowsOf } from '@edrlake/core';
import { QUALYS_EDR } from '@edrlake/datasets';
import { ocsfMappingOf } from '@edrlake/datasets/ocsf';
import { expect, test } from 'vitest';
import { eventsSql, findingsSql, METER, OCSF_VERSIONS, planMapping } from '../src/index.ts';
import { drawing, randomRows, tablesOf } from './random-lake.ts';
import { faultsOf } from './schema-check.ts';

test.each(OCSF_VERSIONS)('OCSF %s: events and findings have what their classes require', async (version) => {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-ocsf-'));
  const mapping = ocsfMappingOf(QUALYS_EDR);
  if (mapping === null) throw new Error('there is a mapping');
  const { connection, close } = await tablesOf(QUALYS_EDR, randomRows(QUALYS_EDR, 600, drawing(7)), directory);
  try {
    const plan = planMapping(QUALYS_EDR, mapping, version);
    const slice = { day: '2020-08-17', bucket: 0, buckets: 1 };
    const queries = new Map([
      ...[...plan.types.values()].flat().map((c) => [c.facts.name, eventsSql(plan, c, slice)] as const),
      ...plan.findings.map((finding) => [finding.facts.name, findingsSql(plan, finding, slice)] as const),
    ]);
    const faults = new Set<string>();
    const meter = Object.values(METER).map(quoteName).join(', ');
    for (const [name, sql] of queries) {
      const rows = await rowsOf(
        connection,
        `SELECT to_json(t)::VARCHAR AS event FROM (SELECT * EXCLUDE (${meter}) FROM (${sql})) t`,
      );
      expect(rows.length, name).toBeGreaterThan(0);
      for (const { event } of rows) {
        for (const fault of faultsOf(name, version, JSON.parse(String(event)))) faults.add(fault);
      }
    }
    expect([...faults]).toEqual([]);
  } finally {
    close();
    await rm(directory, { recursive: true });
  }
});

test('the check of events notices what is missing, unknown, of another type, or no id', () => {
  const faults = faultsOf('win/registry_key_activity', '1.3.0', {
    time: 'now',
    activity_id: 12,
    actor: {},
    metadata: { version: '1.3.0', product: { name: 'x' } },
    reg_key: null,
    colour: 1,
  });
  const path = 'win/registry_key_activity';
  expect(faults.filter((fault) => !/(class|category|type|severity)_u?id/.test(fault))).toEqual([
    `${path}.time is no number`,
    `${path}.metadata.product.vendor_name is missing`,
    `${path}.actor has none of process, user, app_name`,
    `${path}.device is missing`,
    `${path}.activity_id has the unknown id 12`,
    `${path}.reg_key is missing`,
    `${path}.colour is unknown`,
  ]);
});

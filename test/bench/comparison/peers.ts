import { join } from 'node:path';
import { clickHouseScript, PAGES } from '../contestants/clickhouse-script.ts';
import { readingSql, rowsSql, TABLES } from '../contestants/floor-script.ts';
import type { LimitFigures } from '../contestants/limit.ts';
import { runMeasured } from '../contestants/measured-process.ts';
import { PEERS_FOLDER } from './install-peers.ts';
import { BATCHES, type Contestant } from './rounds.ts';
import type { Stage } from './stage.ts';
import type { StoredLayout } from './stored-rows.ts';

/** dlt puts its tables into the folder of a data set. */
const DLT_TABLES: StoredLayout = {
  id: 'event_id',
  folders: Object.fromEntries(TABLES.map(({ name }) => [name, [`edr/${name}`]])),
};

/** It names child tables after their fields, and columns after the fields as well. */
const DLT_OWN_TABLES: StoredLayout = {
  id: 'id',
  folders: {
    events: ['edr/events'],
    certificates: ['edr/events__file__certificates'],
    indicators: ['edr/events__indicator1', 'edr/events__indicator2'],
    interfaces: ['edr/events__asset__interfaces'],
  },
};

/**
 * Other programs that do the floor's work, each in its strongest configuration.
 * @param python an interpreter that has their packages
 */
export function peersWith(python: string): Readonly<Record<string, Contestant>> {
  const inSteps = {
    pagesAtOnce: BATCHES.pagesAtOnce,
    read: readingSql([]).replace('read_json([]', `read_json([${PAGES}]`),
    selects: Object.fromEntries(TABLES.map((table) => [table.name, rowsSql(table)])),
  };
  const peer = (file: string, extra: (folder: string) => object, layout?: StoredLayout): Contestant => ({
    run: (stage, folder, signal) =>
      runMeasured(join(PEERS_FOLDER, file), [JSON.stringify({ ...stage.pageOrder, folder, ...extra(folder) })], {
        interpreter: python,
        ...(signal && { signal }),
      }),
    ...(layout && { layout }),
  });
  return {
    clickhouse: peer('clickhouse_batch.py', (folder) => ({ ...inSteps, statements: clickHouseScript(folder) })),
    'dlt-arrow': peer('dlt_arrow.py', () => inSteps, DLT_TABLES),
    'dlt-json': peer('dlt_json.py', () => ({}), DLT_OWN_TABLES),
  };
}

/** The limit with libdeflate, simdjson and zstd, on Parquet that the floor's SQL makes. */
export async function fastestLimit(
  stage: Stage,
  python: string,
  folder: string,
): Promise<Omit<LimitFigures, 'encodeUs'>> {
  const order = {
    ...{ ...stage.pageOrder, folder, pagesAtOnce: 60 },
    read: readingSql([]).replace('read_json([]', `read_json([${PAGES}]`),
    selects: Object.fromEntries(TABLES.map((table) => [table.name, rowsSql(table)])),
  };
  const { stdout } = await runMeasured(join(PEERS_FOLDER, 'limit.py'), [JSON.stringify(order)], {
    interpreter: python,
  });
  return JSON.parse(stdout) as Omit<LimitFigures, 'encodeUs'>;
}

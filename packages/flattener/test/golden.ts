import { readdirSync, readFileSync } from 'node:fs';

export type GoldenRow = Readonly<Record<string, unknown>>;

/** A payload and the rows it must become: table name → rows in delivered order. A column that is not stated is NULL. */
export interface GoldenCase {
  readonly name: string;
  /** One JSON text a record. */
  readonly records: readonly string[];
  readonly tables: Readonly<Record<string, readonly GoldenRow[]>>;
}

const GOLDEN_FOLDER = new URL('./golden/', import.meta.url);
const FIXTURE_FOLDER = new URL('../../../test/fixtures/', import.meta.url);

/** Every golden file with the payload of the same name. */
export function goldenCases(): readonly GoldenCase[] {
  return readdirSync(GOLDEN_FOLDER).map((file) => {
    const payload: unknown = JSON.parse(readFileSync(new URL(file, FIXTURE_FOLDER), 'utf8'));
    const records = Array.isArray(payload) ? payload : [payload];
    return {
      name: file.replace(/\.json$/, ''),
      records: records.map((record) => JSON.stringify(record)),
      tables: JSON.parse(readFileSync(new URL(file, GOLDEN_FOLDER), 'utf8')),
    };
  });
}

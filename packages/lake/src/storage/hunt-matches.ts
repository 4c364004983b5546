import { quoteFile } from '@edrlake/core';
import { FOLDERS } from './layout.ts';
import type { Store } from './store.ts';
import type { ViewPlace } from './view-place.ts';

/** The view of what standing hunts have found. */
export const HUNT_MATCHES = 'hunt_matches';

/** What a row of the view is. */
export const HUNT_MATCHES_MEANING =
  'a row for each value of a row that is an indicator of a list that is always hunted';

/** What makes two matches the same one, also after their file was rewritten. */
export const MATCH_IDENTITY = 'list, indicator, kind, table_name, column_name, value, event_id';

/** Columns of the matches and their types, as the view shows them; when each was found comes after them. */
export const MATCH_COLUMNS = [
  'list VARCHAR',
  'indicator VARCHAR',
  'kind VARCHAR',
  'table_name VARCHAR',
  'column_name VARCHAR',
  'value VARCHAR',
  'event_id VARCHAR',
  'event_time TIMESTAMPTZ',
  'event_date DATE',
  'event_type VARCHAR',
  'agent_id VARCHAR',
  'host VARCHAR',
] as const;

/** Whether the lake has lists that are always hunted. */
export async function hasStandingHunts(store: Store): Promise<boolean> {
  return (await store.list(FOLDERS.hunts)).some((name) => name.endsWith('.json'));
}

/**
 * SQL of the view: each match once, with the time of the first event that its indicator was seen in.
 * @param matches the file with the matches; null: there are none
 * @param place finds the newest file whenever the view is read, and where the lake is then
 */
export function huntMatchesSql(store: Store, matches: string | null, place?: ViewPlace): string {
  const names = MATCH_COLUMNS.map((column) => column.split(' ')[0]);
  if (matches === null) {
    const nothing = [...MATCH_COLUMNS, 'first_seen TIMESTAMPTZ', 'found_at TIMESTAMPTZ'].map((column) => {
      const [name, type] = column.split(' ');
      return `NULL::${type} AS ${name}`;
    });
    return `SELECT ${nothing.join(', ')} WHERE false`;
  }
  const rows = place === undefined ? `read_parquet(${quoteFile(store.locate(matches))})` : newestSql(place);
  const once = `SELECT ${names.join(', ')}, min(found_at) AS found_at FROM ${rows} GROUP BY ALL`;
  const first = 'min(event_time) OVER (PARTITION BY list, indicator, kind) AS first_seen';
  return `SELECT ${names.join(', ')}, ${first}, found_at FROM (${once})`;
}

/** The file that the newest document names, in its first line. */
function newestSql(place: ViewPlace): string {
  const documents = `read_text(${place.filesSql([`${FOLDERS.hunts}/*.json`])})`;
  const head = `json_extract_string(split_part(content, chr(10), 1), '$.matches')`;
  const newest = `(SELECT arg_max(${head}, filename) FROM ${documents})`;
  const files = `read_parquet(${place.filesSql([`${FOLDERS.hunts}/*.parquet`])}, filename = true)`;
  return `(SELECT * FROM ${files} WHERE parse_filename(filename) = ${newest} AND ${place.guardSql})`;
}

/** The open table formats that the tables of a lake can be published in. */
export const TABLE_FORMATS = ['delta', 'iceberg', 'ducklake'] as const;
/** As users know them. */
export const TABLE_FORMAT_NAMES = { delta: 'Delta Lake', iceberg: 'Iceberg', ducklake: 'DuckLake' } as const;
/** One of them. */
export type TableFormat = (typeof TABLE_FORMATS)[number];

/** The part of parquetjs-lite 0.8.7 that is used here; the package brings no types. */
declare module 'parquetjs-lite' {
  export interface FieldDefinition {
    type: 'BOOLEAN' | 'INT32' | 'DATE' | 'UTF8' | 'TIMESTAMP_MILLIS' | 'TIMESTAMP_MICROS';
    optional: boolean;
    compression: 'GZIP';
    /**
     * false: no minimum and maximum. The library compares text by UTF-16 units, so that readers that compare bytes
     * would skip row groups that they need.
     */
    statistics: false;
  }

  export interface BuiltField {
    /** Parquet's converted type; undefined for a bare physical type. */
    originalType: string | undefined;
  }

  export class ParquetSchema {
    constructor(definition: Record<string, FieldDefinition>);
    readonly fields: Record<string, BuiltField>;
  }

  export class ParquetWriter {
    static openFile(
      schema: ParquetSchema,
      path: string,
      options: { rowGroupSize: number; useDataPageV2: boolean },
    ): Promise<ParquetWriter>;
    appendRow(row: Record<string, unknown>): Promise<void>;
    /** Writes the footer and closes the file. Must be called once, also after a failed row, or the file stays open. */
    close(): Promise<void>;
  }
}

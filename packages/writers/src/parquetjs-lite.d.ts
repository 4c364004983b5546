/** The part of parquetjs-lite 0.8.7 that is used here; the package brings no types. */
declare module 'parquetjs-lite' {
  export interface FieldDefinition {
    type: 'BOOLEAN' | 'INT32' | 'DATE' | 'UTF8' | 'TIMESTAMP_MILLIS' | 'TIMESTAMP_MICROS';
    optional: boolean;
    compression: 'GZIP' | 'SNAPPY';
    /**
     * false: no minimum and maximum. The library compares text by UTF-16 units, so that readers that compare bytes
     * would skip row groups that they need.
     */
    statistics: false;
  }

  export class ParquetSchema {
    constructor(definition: Record<string, FieldDefinition>);
  }

  /** Writes the parts of a file. */
  export interface EnvelopeWriter {
    writeSection(bytes: Buffer): Promise<void>;
    writeFooter(userMetadata: unknown): Promise<void>;
  }

  /** The rows of a row group; empty before its first row. */
  export interface RowBuffer {
    rowCount?: number;
    /** Rows that are not encoded into a page yet. */
    pageRowCount?: number;
    columnData?: Readonly<Record<string, ColumnBuffer>>;
  }

  /** The values of a column that are not encoded into a page yet. */
  export interface ColumnBuffer {
    values: unknown[];
    rlevels: number[];
    dlevels: number[];
    count: number;
  }

  export class ParquetWriter {
    static openFile(
      schema: ParquetSchema,
      path: string,
      options: { rowGroupSize: number; pageSize: number; useDataPageV2: boolean },
    ): Promise<ParquetWriter>;
    readonly envelopeWriter: EnvelopeWriter;
    readonly rowBuffer: RowBuffer;
    /** Of the footer. */
    setMetadata(key: string, value: string): void;
    appendRow(row: Record<string, unknown>): Promise<void>;
    /** Writes the footer and closes the file. Must be called once, also after a failed row, or the file stays open. */
    close(): Promise<void>;
  }
}

declare module 'parquetjs-lite/lib/util.js' {
  const util: {
    serializeThrift(struct: object): Buffer;
    /** Fills the struct. */
    decodeThrift(struct: object, bytes: Buffer, offset: number): number;
  };
  export default util;
}

declare module 'parquetjs-lite/gen-nodejs/parquet_types.js' {
  /** A column as the footer describes it; the first element of a schema is its root. */
  export interface SchemaElement {
    name: string;
    converted_type: number | null;
    logicalType: object | null;
    field_id: number | null;
  }
  const types: {
    FileMetaData: new () => { schema: SchemaElement[] };
    ConvertedType: Readonly<Record<'INT_32' | 'INT_64' | 'UINT_64' | 'TIMESTAMP_MICROS', number>>;
    LogicalType: new (fields: object) => object;
    TimestampType: new (fields: object) => object;
    TimeUnit: new (fields: object) => object;
    MicroSeconds: new () => object;
  };
  export default types;
}

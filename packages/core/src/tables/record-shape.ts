/**
 * What a member of a record may be so that columns can be read from it directly; null is allowed for every kind.
 * - `text`: a string, an integer, true or false
 * - `path` and `file-name`: text; a path is written as `normalPath` makes it, a file name has no separator
 * - `integer` and `bigint`: at most 9 or 18 digits with an optional sign, also as a string
 * - `boolean`: true or false, also as a string
 * - `timestamp`: a string like `2020-08-17T04:15:06.000+0000`
 * - `json` and `leftover`: any value
 */
export type ShapeKind =
  | 'text'
  | 'path'
  | 'file-name'
  | 'integer'
  | 'bigint'
  | 'boolean'
  | 'timestamp'
  | 'json'
  | 'leftover';

/** A member that is read as one value. A `leftover` is known, but no column takes it. */
export interface ShapeValue {
  readonly name: string;
  readonly kind: ShapeKind;
  /**
   * Members with the same `column` are alternatives: a conforming record has at most one of them, or all with the same
   * bytes.
   */
  readonly column: string | null;
}

/** A member whose own members are known: an object, or an array of objects that hold nothing else. */
export interface ShapeSection {
  readonly name: string;
  readonly kind: 'section' | 'list';
  readonly members: readonly ShapeMember[];
}

/** A member of a record that is known by name. */
export type ShapeMember = ShapeValue | ShapeSection;

/**
 * The records that a source is known to deliver. A record that fits is *conforming*: it is read with fixed types in one
 * pass. All others are *irregular*: they are read by rules that allow for anything, at several times the cost.
 */
export interface RecordShape {
  readonly members: readonly ShapeMember[];
  /** Columns that a conforming record must fill: by a string that is not blank, a number, true or false. */
  readonly required: readonly string[];
}

/**
 * Members of a spooled line that are not the source's. `extra`: what no column takes of a conforming record, nested as
 * delivered, or of an element of one of its lists. `irregular`: the text of an irregular record, then the only member
 * of its line.
 */
export const SPOOL_MEMBERS = { extra: '#extra', irregular: '#odd' } as const;

/**
 * Begins the text of an irregular record that could not be read; no JSON begins with it. An object follows: `reason`, a
 * text; `fields`, the JSON text of an object with the members that could be read for certain; `record`, what is kept of
 * the record.
 */
export const SPOOL_BROKEN = '!';

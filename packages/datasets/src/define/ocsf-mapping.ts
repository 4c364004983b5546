/** Where the value of an attribute comes from. */
export type OcsfFeed =
  /** A column: written as the type of the attribute, where it is one, and read back. */
  | { readonly column: string }
  /**
   * An enum attribute and its sibling with the caption: the id for each known text of a column, the first of several
   * texts with one id being what is read back; 99 (Other) with the text itself for any other; 0 (Unknown) for NULL.
   */
  | { readonly oneOf: string; readonly ids: Readonly<Record<string, number>> }
  /** An enum attribute and its sibling: the id of the last bound that a number reaches; 0 (Unknown) for NULL. */
  | { readonly bands: string; readonly from: readonly (readonly [least: number, id: number])[] }
  | { readonly constant: string | number | boolean }
  /** DuckDB SQL over the columns; never read back. */
  | { readonly computed: string }
  /** A column that the presence of the object itself says: true where the object is there. */
  | { readonly presenceSays: string };

/**
 * Dotted path of an attribute, and its feed. `hashes[algorithm_id=1].value` is the element of a list that has this id.
 * A path that the class does not have in a version of OCSF is left out there, and its column goes to `unmapped`.
 */
export type OcsfRow = readonly [path: string, feed: OcsfFeed];

/** How the rows of a child table become a list (or only the first of them an object) inside an event. */
export interface OcsfChild {
  readonly table: string;
  /** Dotted path of the list; where it is no list in a version of OCSF, the first row alone is taken. */
  readonly path: string;
  /** Paths start at the element; columns are those of the child table. */
  readonly rows: readonly OcsfRow[];
  /** Columns that repeat a column of the event. */
  readonly fromEvent?: readonly string[];
}

/** One class that some events become. */
export interface OcsfClassMapping {
  /** As the schema names it: `file_activity`. */
  readonly className: string;
  readonly rows: readonly OcsfRow[];
  readonly children: readonly OcsfChild[];
}

/** Findings beside the events: one for each row of a child table that is picked. */
export interface OcsfFindings {
  readonly className: string;
  readonly table: string;
  /** DuckDB SQL over the columns of the row. */
  readonly where: string;
  /** Over the columns of the event; those of the row are named `<table>.<column>`, in SQL `"<table>.<column>"`. */
  readonly rows: readonly OcsfRow[];
}

/** How the events of a dataset become OCSF. Plain data. */
export interface OcsfMapping {
  /** Changes with what the mapping says, so that days published by an older one are published again. */
  readonly version: number;
  /** The column that says whose events they are; NULL where there is none. */
  readonly account: string;
  /**
   * By `event_type`: classes in the order of preference. An event becomes the first that it has all required attributes
   * of. The last is `base_event`, which takes every event; so do types that are not listed.
   */
  readonly types: Readonly<Record<string, readonly OcsfClassMapping[]>>;
  readonly others: OcsfClassMapping;
  readonly findings: readonly OcsfFindings[];
}

/** @returns rows for a column each: `[path, column]` */
export function columns(pairs: Readonly<Record<string, string>>): OcsfRow[] {
  return Object.entries(pairs).map(([path, column]) => [path, { column }]);
}

/** @returns rows for a constant each */
export function constants(pairs: Readonly<Record<string, string | number | boolean>>): OcsfRow[] {
  return Object.entries(pairs).map(([path, constant]) => [path, { constant }]);
}

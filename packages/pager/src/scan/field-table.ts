import { EdrlakeError, type RecordShape, type ShapeKind, type ShapeMember } from '@edrlake/core';

/** The kind of a member's value, as a number for the scan. */
const KIND_CODES: Readonly<Record<ShapeKind | 'section' | 'list', number>> = {
  path: 1,
  'file-name': 2,
  text: 3,
  integer: 4,
  bigint: 5,
  boolean: 6,
  timestamp: 7,
  json: 8,
  leftover: 9,
  section: 10,
  list: 11,
};

/** Members that are alternatives for one column, with the position of the last one's value. */
export interface SharedColumn {
  record: number;
  from: number;
  to: number;
}

/** A known member, prepared for comparing bytes. */
export interface FieldEntry {
  /** In its section, from 1. */
  readonly index: number;
  readonly kind: number;
  /** Including its quotes. */
  readonly name: Buffer;
  /** `"name":` as little-endian words, with a mask of the bytes that count. */
  readonly words: Int32Array;
  readonly masks: Int32Array;
  readonly byteLength: number;
  readonly section: FieldSection | null;
  readonly shared: SharedColumn | null;
  /** Bit among the required columns, or 0. */
  readonly requiredBit: number;
  /** Rank among the id fields, or -1. */
  readonly idRank: number;
  /** The last object in which it was seen. */
  seenIn: number;
  /** The next member whose name has the same key, see `slotOf`: such names share a slot. */
  twin: FieldEntry | undefined;
}

/** An object with known members. The members of the current record that no column takes are kept here until its end. */
export interface FieldSection {
  readonly parent: FieldSection | null;
  /** `"name":` for the extra; empty for the record. */
  readonly key: Buffer;
  readonly isElement: boolean;
  /** Index 0 is unused. */
  readonly members: readonly FieldEntry[];
  names: NameTable;
  /** The member that last followed each member: most records name their members in one order. */
  readonly follower: Int32Array;
  readonly subsections: readonly FieldSection[];
  /** Positions of members that no column takes: from, to, from, to, … */
  readonly extra: number[];
  readonly unknownNames: Set<string>;
  /** It, or a section in it, has extra. */
  hasExtra: boolean;
}

/** Finds the member of a name by some of its bytes, without creating a string. */
export interface NameTable {
  readonly factor: number;
  /** A power of two of slots, each with a member and its twins. */
  readonly slots: readonly (FieldEntry | undefined)[];
}

/**
 * A shape and the id fields, prepared for scanning any number of pages, also several at a time: it keeps nothing beyond
 * one record, and a record is scanned and written without waiting.
 */
export interface FieldTable {
  readonly root: FieldSection;
  readonly idFieldCount: number;
  /** Unknown members are only skipped. */
  readonly isOpen: boolean;
  /** The bits of all required columns. */
  readonly required: number;
  /** Names of the record's members, and the bit of the required column for each, or 0. */
  readonly topLevel: ReadonlyMap<string, number>;
  /** Names of the record's members that hold a single value. */
  readonly singleNames: ReadonlySet<string>;
  /** Counts objects, so that a member that comes twice in one is noticed without clearing anything. */
  objects: number;
}

/**
 * @param shape null: only the id fields are known, and every record is passed on unchanged
 * @param idFields top-level fields that may have a record's identity; the first with a single value that is not blank
 * counts
 */
export function fieldTable(shape: RecordShape | null, idFields: readonly string[]): FieldTable {
  const required = shape?.required ?? [];
  const members: ShapeMember[] = [...(shape?.members ?? [])];
  for (const name of idFields) {
    if (!members.some((member) => member.name === name)) members.push({ name, kind: 'json', column: null });
  }
  const shared = sharedColumns(members);
  const compile = (inside: readonly ShapeMember[], parent: FieldSection | null, name: string, isElement: boolean) => {
    const known: FieldEntry[] = [];
    const subsections: FieldSection[] = [];
    const section: FieldSection = {
      parent,
      key: Buffer.from(parent === null ? '' : `${JSON.stringify(name)}:`),
      isElement,
      members: known,
      names: { factor: 0, slots: [] },
      follower: new Int32Array(inside.length + 1),
      subsections,
      extra: [],
      unknownNames: new Set(),
      hasExtra: false,
    };
    for (const [place, member] of inside.entries()) {
      const below = 'members' in member ? compile(member.members, section, member.name, member.kind === 'list') : null;
      if (below !== null && member.kind === 'section') subsections.push(below);
      const column = 'column' in member ? member.column : null;
      const compiled: FieldEntry = {
        index: place + 1,
        kind: KIND_CODES[member.kind],
        name: Buffer.from(JSON.stringify(member.name)),
        ...wordsOf(Buffer.from(`${JSON.stringify(member.name)}:`)),
        section: below,
        shared: (column === null ? undefined : shared.get(column)) ?? null,
        requiredBit: column !== null && required.includes(column) ? 1 << required.indexOf(column) : 0,
        idRank: parent === null ? idFields.indexOf(member.name) : -1,
        twin: undefined,
        seenIn: 0,
      };
      known[place + 1] = compiled;
      section.follower[place] = place + 1;
    }
    section.names = nameTable(
      inside.map(({ name }) => Buffer.from(name)),
      known,
    );
    return section;
  };
  const root = compile(members, null, '', false);
  return {
    root,
    topLevel: new Map(members.map(({ name }, place) => [name, root.members[place + 1]?.requiredBit ?? 0])),
    idFieldCount: idFields.length,
    isOpen: shape === null,
    required: 2 ** required.length - 1,
    singleNames: new Set(members.filter((member) => !('members' in member)).map(({ name }) => name)),
    objects: 0,
  };
}

/** The slot of a name in a table of `slotCount` slots. @param bytes have the name at [from, to), which is not empty */
export function slotOf(bytes: Buffer, from: number, to: number, factor: number, slotCount: number): number {
  const key = keyOf(bytes, from, to);
  return (Math.imul(key ^ (key >>> 15), factor) >>> 16) & (slotCount - 1);
}

/** The bytes of a name that its slot depends on: names of one API rarely have all of them in common. */
function keyOf(bytes: Buffer, from: number, to: number): number {
  const length = to - from;
  const fourthLast = bytes[Math.max(from, to - 4)] as number;
  const middle = bytes[from + (length >> 1)] as number;
  const last = bytes[to - 1] as number;
  return fourthLast | (middle << 8) | (last << 16) | (length << 24);
}

/**
 * Tries factors and sizes until no two names share a slot, except those with the same key (`oldContent` and
 * `newContent`): these follow each other in one.
 */
function nameTable(names: readonly Buffer[], known: readonly (FieldEntry | undefined)[]): NameTable {
  const heads = new Map<number, FieldEntry | undefined>();
  for (const [place, name] of names.entries()) {
    const key = keyOf(name, 0, name.length);
    const entry = known[place + 1];
    if (entry !== undefined) entry.twin = heads.get(key);
    heads.set(key, entry);
  }
  for (let slotCount = 16; slotCount <= 65_536; slotCount *= 2) {
    for (let attempt = 1; attempt <= 64; attempt++) {
      const factor = Math.imul(attempt, 0x9e3779b1) | 1;
      const slots: (FieldEntry | undefined)[] = Array.from({ length: slotCount }, () => undefined);
      const isFree = [...heads.values()].every((entry) => {
        const name = entry?.name ?? Buffer.alloc(0);
        const slot = slotOf(name, 1, name.length - 1, factor, slotCount);
        const free = slots[slot] === undefined;
        slots[slot] = entry;
        return free;
      });
      if (isFree) return { factor, slots };
    }
  }
  throw new EdrlakeError('BUG', `${names.length} names have no table`);
}

/** Columns that more than one member fills. */
function sharedColumns(members: readonly ShapeMember[]): Map<string, SharedColumn> {
  const counts = new Map<string, number>();
  const count = (inside: readonly ShapeMember[]) => {
    for (const member of inside) {
      if (member.kind === 'section') count((member as { members: readonly ShapeMember[] }).members);
      else if ('column' in member && member.column !== null) {
        counts.set(member.column, (counts.get(member.column) ?? 0) + 1);
      }
    }
  };
  count(members);
  const several = [...counts].filter(([, times]) => times > 1);
  return new Map(several.map(([column]) => [column, { record: 0, from: 0, to: 0 }]));
}

function wordsOf(bytes: Buffer): Pick<FieldEntry, 'words' | 'masks' | 'byteLength'> {
  const padded = Buffer.alloc(Math.ceil(bytes.length / 4) * 4);
  bytes.copy(padded);
  const mask = Buffer.alloc(padded.length).fill(0xff, 0, bytes.length);
  const read = (from: Buffer) => Int32Array.from({ length: from.length / 4 }, (_, i) => from.readInt32LE(i * 4));
  return { words: read(padded), masks: read(mask), byteLength: bytes.length };
}

import type { RecordShape, ShapeKind, ShapeMember } from '@edrlake/core';

/** What the value of a member may be, as a number the scan can switch on. */
const KIND_CODES: Readonly<Record<ShapeKind | 'section' | 'list', number>> = {
  text: 1,
  integer: 2,
  bigint: 3,
  boolean: 4,
  timestamp: 5,
  json: 6,
  leftover: 7,
  section: 8,
  list: 9,
};

/** Members that are alternatives for one column: where the value of the last one lies in the bytes. */
export interface SharedColumn {
  record: number;
  from: number;
  to: number;
}

/** A known member, ready for comparing bytes. */
export interface KnownMember {
  /** In its section, from 1. */
  readonly index: number;
  readonly kind: number;
  /** `"name":` as little-endian words, and which of their bytes count. */
  readonly words: Int32Array;
  readonly masks: Int32Array;
  readonly byteLength: number;
  readonly section: KnownSection | null;
  readonly shared: SharedColumn | null;
  /** Bit among the required columns, or 0. */
  readonly requiredBit: number;
  /** Rank among the id fields, or -1. */
  readonly idRank: number;
  /** The last object it was seen in. */
  seenIn: number;
}

/** An object whose members are known. What the record at hand has in it beyond columns is kept here until its end. */
export interface KnownSection {
  readonly parent: KnownSection | null;
  /** `"name":` for the extra; empty for the record. */
  readonly key: Buffer;
  readonly isElement: boolean;
  /** Index 0 is unused. */
  readonly members: readonly KnownMember[];
  readonly byName: ReadonlyMap<string, KnownMember>;
  /** The member that followed each member last: most records name their members in one order. */
  readonly follower: Int32Array;
  readonly subsections: readonly KnownSection[];
  /** Places of members that no column takes: from, to, from, to, … */
  readonly extra: number[];
  readonly unknownNames: string[];
  /** It, or a section below it, has extra. */
  hasExtra: boolean;
}

/** A shape and the id fields, made ready for scanning one page after the other. */
export interface KnownRecord {
  readonly root: KnownSection;
  readonly idFieldCount: number;
  /** Members that no one knows are only passed over. */
  readonly isOpen: boolean;
  /** The bits of all required columns. */
  readonly required: number;
}

/** @param shape null: only the id fields are known, and every record is passed on as it is. */
export function knownRecord(shape: RecordShape | null, idFields: readonly string[]): KnownRecord {
  const required = shape?.required ?? [];
  const members: ShapeMember[] = [...(shape?.members ?? [])];
  for (const name of idFields) {
    if (!members.some((member) => member.name === name)) members.push({ name, kind: 'json', column: null });
  }
  const shared = sharedColumns(members);
  const compile = (inside: readonly ShapeMember[], parent: KnownSection | null, name: string, isElement: boolean) => {
    const known: KnownMember[] = [];
    const subsections: KnownSection[] = [];
    const section: KnownSection = {
      parent,
      key: Buffer.from(parent === null ? '' : `${JSON.stringify(name)}:`),
      isElement,
      members: known,
      byName: new Map(),
      follower: new Int32Array(inside.length + 1),
      subsections,
      extra: [],
      unknownNames: [],
      hasExtra: false,
    };
    for (const [place, member] of inside.entries()) {
      const below = 'members' in member ? compile(member.members, section, member.name, member.kind === 'list') : null;
      if (below !== null && member.kind === 'section') subsections.push(below);
      const column = 'column' in member ? member.column : null;
      const compiled: KnownMember = {
        index: place + 1,
        kind: KIND_CODES[member.kind],
        ...wordsOf(Buffer.from(`${JSON.stringify(member.name)}:`)),
        section: below,
        shared: (column === null ? undefined : shared.get(column)) ?? null,
        requiredBit: column !== null && required.includes(column) ? 1 << required.indexOf(column) : 0,
        idRank: parent === null ? idFields.indexOf(member.name) : -1,
        seenIn: 0,
      };
      known[place + 1] = compiled;
      (section.byName as Map<string, KnownMember>).set(latin1(member.name), compiled);
      section.follower[place] = place + 1;
    }
    return section;
  };
  return {
    root: compile(members, null, '', false),
    idFieldCount: idFields.length,
    isOpen: shape === null,
    required: 2 ** required.length - 1,
  };
}

/** Names are looked up as their bytes. */
function latin1(name: string): string {
  return Buffer.from(name).toString('latin1');
}

/** Columns that more than one member feeds. */
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

function wordsOf(bytes: Buffer): Pick<KnownMember, 'words' | 'masks' | 'byteLength'> {
  const padded = Buffer.alloc(Math.ceil(bytes.length / 4) * 4);
  bytes.copy(padded);
  const mask = Buffer.alloc(padded.length).fill(0xff, 0, bytes.length);
  const read = (from: Buffer) => Int32Array.from({ length: from.length / 4 }, (_, i) => from.readInt32LE(i * 4));
  return { words: read(padded), masks: read(mask), byteLength: bytes.length };
}

// The text of `extra` is changed by its bytes, not by parsing and writing it: so all that stays in it keeps its
// numbers, escapes and order exactly as they were delivered.

/** A member of a JSON object: where its name and its value begin, and where the value ends. */
interface Member {
  readonly name: string;
  readonly nameAt: number;
  readonly valueAt: number;
  readonly end: number;
}

/** The JSON text of the value at a path; null where there is none, or where a name on the way comes twice. */
export function valueTextAt(text: string, path: readonly string[]): string | null {
  let value = text;
  for (const name of path) {
    const found = only(membersOf(value), name);
    if (found === null) return null;
    value = value.slice(found.valueAt, found.end);
  }
  return value;
}

/**
 * The text without the value at a path, for which `valueTextAt` finds a value. An object that would be empty goes as
 * well.
 * @returns null where nothing is left
 */
export function withoutPath(text: string, [name = '', ...inner]: readonly string[]): string | null {
  const members = membersOf(text) ?? [];
  const found = only(members, name);
  if (found === null) return text;
  const left = inner.length === 0 ? null : withoutPath(text.slice(found.valueAt, found.end), inner);
  const kept = members.flatMap((member) => {
    if (member !== found) return text.slice(member.nameAt, member.end);
    return left === null ? [] : `${text.slice(member.nameAt, member.valueAt)}${left}`;
  });
  return kept.length === 0 ? null : `{${kept.join(',')}}`;
}

/**
 * The text with a value at a path, as the last member of its object; objects on the way are made where there are none.
 * @returns null where the place is taken: by another value, or by one on the way that is no object
 */
export function withPath(text: string | null, [name = '', ...inner]: readonly string[], value: string): string | null {
  const members = text === null ? [] : membersOf(text);
  if (members === null) return null;
  const same = members.filter((member) => member.name === name);
  const [found] = same;
  if (same.length > 1 || (found !== undefined && inner.length === 0)) return null;
  const before = found === undefined || text === null ? null : text.slice(found.valueAt, found.end);
  const placed = inner.length === 0 ? value : withPath(before, inner, value);
  if (placed === null) return null;
  const all = members.map((member) =>
    member === found
      ? `${text?.slice(member.nameAt, member.valueAt)}${placed}`
      : (text ?? '').slice(member.nameAt, member.end),
  );
  if (found === undefined) all.push(`${JSON.stringify(name)}:${placed}`);
  return `{${all.join(',')}}`;
}

/** Names and JSON texts of the members of an object; null where the text is something else. */
export function jsonMembers(text: string): readonly (readonly [string, string])[] | null {
  return membersOf(text)?.map(({ name, valueAt, end }) => [name, text.slice(valueAt, end)] as const) ?? null;
}

function only(members: readonly Member[] | null, name: string): Member | null {
  const same = (members ?? []).filter((member) => member.name === name);
  return same.length === 1 ? (same[0] ?? null) : null;
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPENING = new Set([0x7b, 0x5b]);
const CLOSING = new Set([0x7d, 0x5d]);
const BLANK = new Set([0x20, 0x09, 0x0a, 0x0d]);

/** The members of the object that a valid JSON text is, in order; null where it is something else. */
function membersOf(text: string): readonly Member[] | null {
  let at = afterBlanks(text, 0);
  if (text[at] !== '{') return null;
  const members: Member[] = [];
  at = afterBlanks(text, at + 1);
  while (at < text.length && text[at] !== '}') {
    const nameAt = at;
    const nameEnd = afterString(text, at);
    const colon = afterBlanks(text, nameEnd);
    if (text.charCodeAt(colon) !== COLON) return null;
    const valueAt = afterBlanks(text, colon + 1);
    const end = afterValue(text, valueAt);
    members.push({ name: JSON.parse(text.slice(nameAt, nameEnd)) as string, nameAt, valueAt, end });
    at = afterBlanks(text, end);
    if (text.charCodeAt(at) === COMMA) at = afterBlanks(text, at + 1);
  }
  return members;
}

function afterBlanks(text: string, from: number): number {
  let at = from;
  while (BLANK.has(text.charCodeAt(at))) at += 1;
  return at;
}

/** Past the string that begins with the quote at `from`. */
function afterString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === BACKSLASH) at += 1;
    else if (code === QUOTE) return at + 1;
  }
  return text.length;
}

/** Past the value that begins at `from`. */
function afterValue(text: string, from: number): number {
  let depth = 0;
  for (let at = from; at < text.length; at += 1) {
    const code = text.charCodeAt(at);
    if (code === QUOTE) {
      at = afterString(text, at) - 1;
      if (depth === 0) return at + 1;
    } else if (OPENING.has(code)) depth += 1;
    else if (CLOSING.has(code)) {
      if (depth === 0) return at;
      depth -= 1;
      if (depth === 0) return at + 1;
    } else if (depth === 0 && (code === COMMA || BLANK.has(code))) return at;
  }
  return text.length;
}

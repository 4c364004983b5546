import type { ColumnSpec } from '@edrlake/core';
import type { SourceField, SourceSection } from '../spec/source-tree.ts';
import { isList, isSection, type JsonObject, type JsonValue, jsonText, memberOf, quoteJson } from './json-tree.ts';
import { fullFilePath, parseValue, ruled, textOf, unblank, unwrappedText, type Value } from './values.ts';

/** What a field says: its text without blanks, the parsed value, and the value after the column's rule. */
interface Reading {
  readonly text: string | null;
  readonly parsed: Value;
  readonly value: Value;
}

/** The delivered value at a dotted path, or undefined where a section on the way is missing or no object. */
export function valueAt(root: JsonObject, path: string): JsonValue | undefined {
  let value: JsonValue | undefined = root;
  for (const name of path.split('.')) {
    if (!isSection(value)) return undefined;
    value = memberOf(value, name);
  }
  return value;
}

function read(root: JsonObject, column: ColumnSpec, path: string): Reading {
  const delivered = valueAt(root, path);
  const text = column.type === 'text' ? unwrappedText(delivered) : unblank(textOf(delivered));
  const parsed = text === null ? null : parseValue(column, text);
  return { text, parsed, value: parsed === null ? null : ruled(column.rule, parsed) };
}

/**
 * The value of a column that has paths. JSON columns take the whole section as text, null when there is nothing in it.
 */
export function columnValue(root: JsonObject, column: ColumnSpec): Value {
  if (column.type === 'json') return wholeSection(valueAt(root, column.paths[0] ?? ''));
  const chosen = chosenValue(root, column);
  const { parts } = column;
  if (parts === undefined) return chosen;
  const directory = unwrappedText(valueAt(root, parts.directory));
  const name = unwrappedText(valueAt(root, parts.name));
  return fullFilePath(chosen as string | null, directory === null ? null : (ruled('path', directory) as string), name);
}

function chosenValue(root: JsonObject, column: ColumnSpec): Value {
  for (const path of column.paths) {
    const { value } = read(root, column, path);
    if (value !== null) return value;
  }
  return null;
}

function wholeSection(value: JsonValue | undefined): string | null {
  if (value === undefined || value === null) return null;
  if (typeof value === 'string' && unblank(value) === null) return null;
  const text = jsonText(value);
  return text === '{}' || text === '[]' ? null : text;
}

/** `extra`: what the tree's columns did not take, nested as delivered, as JSON text; null when nothing is left. */
export function extraOf(root: JsonObject, tree: SourceSection): string | null {
  const members = membersOf(root, root, tree);
  return members.length === 0 ? null : `{${members.join(',')}}`;
}

function membersOf(root: JsonObject, section: JsonObject, tree: SourceSection): string[] {
  const members: string[] = [];
  for (const member of tree.members) {
    const delivered = memberOf(section, member.name);
    if (delivered === undefined || delivered === null) continue;
    const left =
      member.kind === 'section' ? leftOfSection(root, delivered, member) : leftOfField(root, delivered, member);
    if (left !== null) members.push(`${quoteJson(member.name)}:${left}`);
  }
  const known = new Set(tree.members.map((member) => member.name));
  for (const [key, value] of Object.entries(section)) {
    if (!known.has(key) && value !== null) members.push(`${quoteJson(key)}:${jsonText(value)}`);
  }
  return members;
}

function leftOfSection(root: JsonObject, delivered: JsonValue, tree: SourceSection): string | null {
  if (!isSection(delivered)) return unlessBlank(delivered);
  const members = membersOf(root, delivered, tree);
  return members.length === 0 ? null : `{${members.join(',')}}`;
}

function leftOfField(root: JsonObject, delivered: JsonValue, field: SourceField): string | null {
  switch (field.use) {
    case 'json':
      return null;
    case 'leftover':
      return jsonText(delivered);
    case 'array':
      return isList(delivered) || isSection(delivered) ? null : unlessBlank(delivered);
    case 'value':
      return field.column !== null && isLeft(root, field.column, field.path) ? jsonText(delivered) : null;
  }
}

/** Text that does not parse, or an alternative that says something else than the chosen one. */
function isLeft(root: JsonObject, column: ColumnSpec, path: string): boolean {
  const { text, parsed, value } = read(root, column, path);
  if (text !== null && parsed === null) return true;
  return value !== null && value !== chosenValue(root, column);
}

function unlessBlank(value: JsonValue): string | null {
  return typeof value === 'string' && unblank(value) === null ? null : jsonText(value);
}

import type { JsonObject } from '../records/render-detail.ts';

/** Which parts of a record to show: paths such as `asset.hostName`, or whole sections such as `file`. */
export interface AttributeChoice {
  readonly mode: 'include' | 'exclude';
  readonly paths: ReadonlySet<string>;
}

/**
 * Reads the two parameters; null where both are empty. Including some means excluding the rest, so `include` is applied
 * first.
 */
export function parseAttributes(include: string | null, exclude: string | null): AttributeChoice | null {
  const read = (text: string | null) =>
    (text ?? '')
      .split(',')
      .map((each) => each.trim())
      .filter((each) => each !== '');
  const included = read(include);
  if (included.length > 0) return { mode: 'include', paths: new Set(included.map(plainName)) };
  const excluded = read(exclude);
  return excluded.length > 0 ? { mode: 'exclude', paths: new Set(excluded.map(plainName)) } : null;
}

/** `_id` and `_type`, as in the vendor's example, mean the fields without the underscore. */
function plainName(name: string): string {
  return name.startsWith('_') ? name.slice(1) : name;
}

/** Writes records with only the chosen parts. Arrays are shown whole or not at all. */
export function includedOnly(write: (index: number) => string, choice: AttributeChoice): (index: number) => string {
  return (index) => JSON.stringify(prune(JSON.parse(write(index)) as JsonObject, '', choice));
}

function prune(value: JsonObject, prefix: string, choice: AttributeChoice): JsonObject {
  const kept: JsonObject = {};
  for (const [name, part] of Object.entries(value)) {
    const path = prefix + name;
    const isNamed = choice.paths.has(path);
    const isSection = typeof part === 'object' && part !== null && !Array.isArray(part);
    if (isNamed ? choice.mode === 'include' : choice.mode === 'exclude' && !isSection) kept[name] = part;
    else if (!isNamed && isSection) {
      const inner = prune(part as JsonObject, `${path}.`, choice);
      if (Object.keys(inner).length > 0) kept[name] = inner;
    }
  }
  return kept;
}

import type { TableSpec } from '@edrlake/core';
import { elementTree, RECORD_TREE, sectionsOf } from './source-tree.ts';
import type { Oddities } from './sql-extra.ts';

/**
 * What a batch of records holds that the spec does not name, from its distinct sets of keys.
 * @param shapes for each set one list of keys for each of `RECORD_SECTIONS`, in that order
 */
export function odditiesOf(shapes: readonly (readonly (readonly string[] | null)[])[]): Oddities {
  const unknown = new Set<string>();
  const broken = new Set<string>();
  const sections = sectionsOf(RECORD_TREE);
  for (const shape of shapes) {
    sections.forEach((section, index) => {
      const keys = shape[index] ?? [];
      const known = new Set(section.members.map((member) => member.name));
      if (keys.some((key) => !known.has(key))) unknown.add(section.path);
      for (const member of section.members) {
        if (member.kind !== 'section' || !keys.includes(member.name)) continue;
        const inside = shape[sections.indexOf(member)] ?? [];
        if (inside.length === 0) broken.add(member.path);
      }
    });
  }
  return { unknownKeysIn: [...unknown], brokenSections: [...broken] };
}

/** Whether some element of a child table's array has a key the spec does not know, or none at all (so it may be no object). */
export function hasOddElements(table: TableSpec, shapes: readonly (readonly string[])[]): boolean {
  const known = new Set(elementTree(table.columns).members.map((member) => member.name));
  return shapes.some((keys) => keys.length === 0 || keys.some((key) => !known.has(key)));
}

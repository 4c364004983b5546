import type { ColumnSpec, ShapeMember, ShapeValue } from '@edrlake/core';
import { QUALYS_EDR } from '@edrlake/datasets';
import { recordShapeOf } from '@edrlake/flattener';
import { expect, test } from 'vitest';

/** The type of a member of each kind, where it is delivered as documented. */
const TYPES: Readonly<Record<ShapeValue['kind'], string>> = {
  text: 'string',
  path: 'string',
  'file-name': 'string',
  integer: 'number',
  bigint: 'number',
  boolean: 'boolean',
  timestamp: 'string',
  json: 'Readonly<Record<string, unknown>>',
  leftover: 'unknown',
};

/** Interfaces for the members of a record, those of its sections behind it. */
function interfacesOf(
  name: string,
  doc: string,
  path: string,
  members: readonly ShapeMember[],
  columns: readonly ColumnSpec[],
): string[] {
  const prefix = path === '' ? '' : `${path}.`;
  const below: string[] = [];
  const lines = members.map((member) => {
    const at = `${prefix}${member.name}`;
    if ('members' in member && member.kind === 'section') {
      const section = nameOf(at);
      below.push(...interfacesOf(section, `The section \`${at}\` of an event.`, at, member.members, columns));
      return `  readonly ${member.name}?: ${section} | null;`;
    }
    if ('members' in member) {
      const table = QUALYS_EDR.tables.find(({ arrays }) => arrays?.includes(at));
      const element = `Edr${singular(table?.name ?? '')}`;
      const isNew = !lists.has(element);
      lists.add(element);
      if (isNew) {
        const text = `An element of ${(table?.arrays ?? []).map((each) => `\`${each}\``).join(' or ')}.`;
        below.push(...interfacesOf(element, text, '', member.members, table?.columns ?? []));
      }
      return `  readonly ${member.name}?: readonly ${element}[] | null;`;
    }
    const column = columns.find(({ paths }) => paths.includes(at));
    const meaning = member.kind === 'leftover' ? 'no column takes it' : (column?.meaning ?? '');
    const unit = column?.unit === undefined || column.unit === 'UTC' ? '' : `, in ${column.unit}`;
    const time = member.kind === 'timestamp' ? ', like `2020-08-17T04:15:06.000+0000`' : '';
    const comment =
      meaning === '' ? '' : `  /** ${capital(meaning)}${unit}${time}. Column: ${columnOf(member, column)}. */\n`;
    const type = TYPES[member.kind];
    return `${comment}  readonly ${member.name}?: ${type === 'unknown' ? type : `${type} | null`};`;
  });
  const own = [
    `/** ${doc} */`,
    `export interface ${name} {`,
    ...lines,
    '  /** What no document names. */',
    '  readonly [field: string]: unknown;',
    '}',
  ].join('\n');
  return [own, ...below];
}

const lists = new Set<string>();

function columnOf(member: ShapeValue, column: ColumnSpec | undefined): string {
  return member.kind === 'leftover' ? '`extra`' : `\`${column?.name ?? member.name}\``;
}

function nameOf(path: string): string {
  return `Edr${path.split('.').map(capital).join('')}`;
}

function singular(table: string): string {
  const name = table.split('_').map(capital).join('');
  return name.replace(/s$/, '');
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

const HEAD = `// Made of the table spec by packages/edrlake/test/event.types.test.ts: npm run docs writes it again.

`;

const DOC = `An event as the API delivers it. Every field may be missing or null, and a field of another type than documented is
 * left as it came, so check what you rely on. Times are text: UTC unless they have an offset. The lake holds the same
 * events as tables, with one type for each column.`;

test('the type of an event has every field that the table spec knows', async () => {
  const events = QUALYS_EDR.tables.find(({ name }) => name === 'events');
  const interfaces = interfacesOf('EdrEvent', 'EVENT', '', recordShapeOf(QUALYS_EDR).members, events?.columns ?? []);
  const text = `${HEAD}${interfaces.join('\n\n').replace('/** EVENT */', `/**\n * ${DOC}\n */`)}\n`;
  await expect(text).toMatchFileSnapshot('../src/event.ts');
});

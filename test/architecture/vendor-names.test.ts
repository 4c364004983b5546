import { expect, test } from 'vitest';
import { readRepository, type TextFile } from './repository.ts';

/** The packages that know the API and its events. All others work from the definition of a dataset. */
const SPECIAL = new Set(['client', 'datasets']);
const { files, packages } = readRepository();
const GENERAL = packages.map(({ folder }) => folder).filter((folder) => !SPECIAL.has(folder));
const isGeneral = (path: string) => GENERAL.includes(/^packages\/([^/]+)\/(?:src|page|bin)\//.exec(path)?.[1] ?? '');

/** What is about the shipped datasets: the demo, help that lists tables, the simulated records, the types of events. */
const OF_DATASETS =
  /^packages\/(cli\/src\/(demo\/demo-queries|commands\/query)\.ts|edrlake\/src\/event\.ts|simulator\/src\/)/;

/** The documentation of the public package has examples with their names. */
const DOCUMENTED = /^packages\/edrlake\/src\//;
/** Every class of OCSF has an attribute of this name. */
const OCSF = { path: /^packages\/ocsf\//, attribute: /\bprofiles\b/g };
const COMMENT = /^\s*(\/\*\*|\*)/;

/** Child tables and their columns, as the shipped datasets name them. */
const TABLES = /\b(certificates|indicators|interfaces|asset_tags|indicator_set|profiles)\b/;

const VENDOR = /qualys/i;

/** What people read, and the datasets that the public package hands on. */
const ALLOWED: readonly RegExp[] = [
  /(ask|give) (your )?Qualys [a-z]+/gi,
  /status\.qualys\.com/g,
  /export Qualys EDR events/g,
  /'Qualys platform: US1/g,
  /^ {2}QUALYS_(EDR|FIM),$/g,
  // What is hunted is called so too. The name of the table is a whole string, or follows FROM.
  /@edrlake\/lake\/indicators/g,
  /(?<!['"`]|\b(?:from|join) )\bindicators\b(?!['"`])/gi,
];

function namesIn({ path, text }: TextFile): string[] {
  if (!isGeneral(path)) return [];
  return text.split('\n').flatMap((line, index) => {
    if (DOCUMENTED.test(path) && COMMENT.test(line)) return [];
    const allowed = OCSF.path.test(path) ? [...ALLOWED, OCSF.attribute] : ALLOWED;
    const rest = allowed.reduce((left, pattern) => left.replace(pattern, ''), line);
    return VENDOR.test(rest) || (TABLES.test(rest) && !OF_DATASETS.test(path)) ? [`${path}:${index + 1}`] : [];
  });
}

test('only the client and the datasets name the vendor, its datasets and their tables', () => {
  expect(files.flatMap(namesIn)).toEqual([]);
});

test('the rule notices a vendor, a dataset and a table', () => {
  const at = (text: string) => namesIn({ path: 'packages/lake/src/a.ts', text });
  expect(at("const name = 'qualys-fim';")).toEqual(['packages/lake/src/a.ts:1']);
  expect(at('import { QUALYS_EDR } from "x";')).toHaveLength(1);
  expect(at("if (table === 'certificates') return;")).toHaveLength(1);
  expect(at("table === 'indicators'")).toHaveLength(1);
  expect(at('`select * from indicators where`')).toHaveLength(1);
  expect(at('hunt(indicators: readonly Indicator[])')).toEqual([]);
  expect(at("hint: 'Ask Qualys support.'")).toEqual([]);
  const front = (text: string) => namesIn({ path: 'packages/edrlake/src/lake.ts', text });
  expect(front(' * const { events, certificates } = flatten(page);')).toEqual([]);
  expect(front('const dataset = QUALYS_EDR;')).toHaveLength(1);
  expect(namesIn({ path: 'packages/simulator/src/a.ts', text: 'certificates: // of Qualys' })).toHaveLength(1);
  expect(GENERAL).toEqual(expect.arrayContaining(['lake', 'ocsf', 'runner', 'serve']));
  expect(namesIn({ path: 'packages/serve/page/src/a.tsx', text: "'certificates'" })).toHaveLength(1);
  expect(files.filter(({ path }) => isGeneral(path)).map(({ path }) => path)).toContain(
    'packages/serve/page/src/app.tsx',
  );
});

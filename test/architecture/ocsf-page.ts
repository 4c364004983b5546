import type { Dataset } from '@edrlake/core';
import { QUALYS_EDR } from '@edrlake/datasets';
import { type OcsfChild, type OcsfFeed, type OcsfRow, ocsfMappingOf } from '@edrlake/datasets/ocsf';
import {
  type ClassPlan,
  classNamed,
  OCSF_VERSIONS,
  type OcsfVersion,
  objectShape,
  planMapping,
  type Shape,
  shapeOf,
} from '@edrlake/ocsf';
import { wrapped } from './error-page.ts';

/** `docs/ocsf.md`: how the events of the shipped dataset become OCSF, from the mapping itself. */
export function ocsfPage(): string {
  return `${[INTRODUCTION, ...mappingSections(QUALYS_EDR)].join('\n\n')}\n`;
}

function mappingSections(dataset: Dataset): string[] {
  const mapping = ocsfMappingOf(dataset);
  if (mapping === null) return [];
  const classes = [...Object.values(mapping.types).flat(), mapping.others];
  const shared = (classes[0]?.rows ?? []).filter((row) => classes.every(({ rows }) => rows.includes(row)));
  const sharedChildren = (classes[0]?.children ?? []).filter((child) =>
    classes.every(({ children }) => children.includes(child)),
  );
  const types = Object.entries(mapping.types).map(([type, ofType]) => {
    const names = ofType.map(({ className }) => `\`${className}\` (${classNamed(className).uid})`);
    return [`\`${type}\``, [...names, '`base_event` (0)'].join(', else ')];
  });
  const sections = [
    '## Classes',
    table(
      ['`event_type`', 'becomes the first of these that it has all required attributes of'],
      [...types, ['any other', '`base_event` (0)']],
    ),
    '## Attributes of all classes',
    rowsTable('file_activity', shared),
    ...sharedChildren.map((child) => childSection('file_activity', child)),
  ];
  for (const { className, rows, children } of classes) {
    const own = rows.filter((row) => !shared.includes(row));
    sections.push(`## \`${className}\``, rowsTable(className, own));
    const ownChildren = children.filter((child) => !sharedChildren.includes(child));
    sections.push(
      ...ownChildren.filter((child) => hasPlace(className, child)).map((child) => childSection(className, child)),
    );
    for (const version of OCSF_VERSIONS) {
      const plan = planMapping(dataset, mapping, version);
      const found = [...plan.types.values()].flat().find(({ facts }) => facts.name === className);
      if (found !== undefined)
        sections.push(
          wrapped(`In \`unmapped\` of ${version}, where they have a value: ${leftColumns(dataset, found)}.`),
        );
    }
  }
  for (const { className, table: source, where, rows } of mapping.findings) {
    sections.push(
      `## \`${className}\``,
      `One for each row of \`${source}\` with \`${where}\`, beside the event that it belongs to.`,
      rowsTable(className, rows),
    );
  }
  return sections;
}

function childSection(className: string, { table: source, path, rows }: OcsfChild): string {
  const inside = rows.map(([inner, feed]): OcsfRow => [inner === '' ? path : `${path}[].${inner}`, feed]);
  return `Each row of \`${source}\`:\n\n${rowsTable(className, inside)}`;
}

function hasPlace(className: string, { path }: OcsfChild): boolean {
  return OCSF_VERSIONS.some((version) => isThere(className, path, version));
}

function rowsTable(className: string, rows: readonly OcsfRow[]): string {
  const lines = rows.map(([path, feed]) => [
    `\`${path}\``,
    feedText(feed),
    ...OCSF_VERSIONS.map((version) => (isThere(className, path, version) ? 'yes' : '–')),
  ]);
  return table(['attribute', 'from', ...OCSF_VERSIONS], lines);
}

/** Whether a version has the attribute at a path. */
function isThere(className: string, path: string, version: OcsfVersion): boolean {
  let shape: Shape | null = shapeOf(classNamed(className), version);
  for (const segment of path.split('.')) {
    const attribute = shape?.attributes.get(segment.replace(/\[.*$/, ''));
    if (attribute === undefined) return false;
    shape = attribute.type.endsWith('_t') || attribute.type === 'object' ? null : objectShape(attribute.type, version);
  }
  return true;
}

function feedText(feed: OcsfFeed): string {
  if ('column' in feed) return `\`${feed.column}\``;
  if ('presenceSays' in feed) return `there where \`${feed.presenceSays}\``;
  if ('constant' in feed) return `always \`${feed.constant}\``;
  if ('computed' in feed) return `computed: \`${feed.computed.replaceAll('|', '\\|')}\``;
  if ('bands' in feed) {
    return `\`${feed.bands}\`: ${feed.from.map(([least, id]) => `from ${least} on ${id}`).join(', ')}`;
  }
  const known = Object.entries(feed.ids).map(([text, id]) => `${text} ${id}`);
  return `\`${feed.oneOf}\`: ${[...known, 'any other 99'].join(', ')}`;
}

function leftColumns(dataset: Dataset, { built, children }: ClassPlan): string {
  const events = dataset.tables.find(({ name }) => name === 'events');
  const read = new Set(built.readBacks.map(({ column }) => column));
  const left = (events?.columns ?? []).filter(({ name, type }) => type !== 'date' && !read.has(name));
  const tables = children.filter(({ place }) => place === null).map(({ table: { name } }) => `the rows of \`${name}\``);
  return [...left.map(({ name }) => `\`${name}\``), ...tables].join(', ');
}

function table(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [line(titles), line(titles.map(() => '---')), ...rows.map(line)].join('\n');
}

const INTRODUCTION = `# OCSF

<!-- Generated from the mapping of the dataset by \`npm run docs\`; a test fails when it is out of date. -->

\`edrlake publish ocsf\` writes the events of a lake as events of the
[Open Cybersecurity Schema Framework](https://schema.ocsf.io), version 1.3.0 or 1.8.0, into Parquet files by class,
account and day. The lake stays as it is. Each run brings the target to the newest version of the lake.

\`\`\`sh
edrlake publish ocsf --to /data/ocsf                              # plain: one folder a class
edrlake publish ocsf --layout security-lake --region eu-central-1 --to s3://BUCKET   # for each custom source
\`\`\`

## Promises

- **Every event is in one class.** One that lacks what its class requires (1.3.0 requires \`dst_endpoint\` of network
  events) becomes the next class in the list, at last \`base_event\`, which takes all. The command says how many of which
  type. So no event is rejected; records of the table \`rejects\` never became events, and are counted apart.
- **Nothing is dropped.** A value that no attribute takes, or that the type of its attribute does not allow, is in
  \`unmapped\`, a map from the column to its text; rows of child tables that no list takes are there as a JSON list. The
  rows of the lake can be read back exactly; a test does so with 10,000 random events in each version.
- **Each file says its loss.** Key/value metadata: \`edrlake.ocsf.source_fields\`, \`edrlake.ocsf.typed_fields\`, and
  \`edrlake.ocsf.typed_share\`, their quotient. A field is a value that is not NULL in a column of events or of a child
  table; it is typed where the attributes alone give it back.
- **Incremental, exactly once.** A day is written again, under new names, when its rows have changed: late events,
  repair, deduplication. Other files with the same rows (compaction) change nothing.
- **Valid.** Tests check required attributes, types, ids of enums and rules on the facts in \`packages/ocsf\`, and
  \`npm run test:services\` on the published schema.

## Files

| layout | path below \`--to\` |
| --- | --- |
| \`plain\` | \`<source>/accountId=<account>/eventDay=YYYYMMDD/<from>-<to>-<random>.parquet\` |
| \`security-lake\` | \`ext/<source>/region=<region>/accountId=<account>/eventDay=YYYYMMDD/<from>-<to>-<random>.parquet\` |

The source is the dataset and the class, \`qualys_edr_file_activity\`: Security Lake wants one source a class. The account
is \`external_<customer>\` from the events, or what \`--account-id\` says. \`<from>-<to>\` is the part of the day, in hours
and minutes: a day of more than 250,000 events of a class is halved until each part is smaller.

Files are compressed with zstd, sorted by \`time\`, and have lists of three levels. Row groups are small enough that no
page has more than 1 MiB before compression, unless 2,048 rows have. \`time\` and other timestamps are milliseconds since
1970 as 64-bit numbers, as OCSF says.

## What a reader can see

\`_edrlake\` in the target holds the state: \`publication.json\` with the choices and the version of the lake,
\`days/<day>.json\` with the files of each day, and \`work\` with files in progress. A day is put in place so:

1. The new files are written into \`work\` and synced.
2. The document of the day names them as \`next\`. From here on the next run completes the day.
3. A new file takes over the name of the file that it replaces (same source, account and part of the day), and is then
   given its own. Each is one step for a reader of the folder, who sees the rows of the file once at any time. A reader
   that has the old file open goes on reading it.
4. Files without a predecessor appear before files without a successor are removed. An event that moves to another
   file (its class is another now, or the day is divided into more parts) may meanwhile be seen twice, with one
   \`metadata.uid\`, or, where both files have a predecessor, not at all.
5. The document of the day names the files as \`current\`.

Several files are several steps: between two of them a reader may see the new rows of one class and the old rows of
another. Who needs them together reads the files that \`current\` names. A copy to a bucket by another program has its own
order.

One process publishes into a target at a time. Another version, layout, region, account or lake needs another target.
After a change of the mapping all days are written again.

## In a bucket

\`--to s3://bucket/prefix\` takes the environment variables of
[a lake there](../README.md#a-lake-in-an-object-store): keys, region, \`AWS_ENDPOINT_URL\`, proxy; and
\`--encryption\`. The lake itself may be anywhere. Nothing is renamed or copied there:

- A file is \`<from>-<to>.parquet\`, without a random part, and a newer one replaces it in one PUT or one completed
  upload in parts. So a reader sees the old or the new rows of a class, account and part of a day, once, at any time.
  A reader in the middle of a file that is replaced notices it by its ETag, in engines that check it, and reads again.
- Files without a successor are deleted before the others are put. A day that is divided into more parts is therefore
  never seen twice, but for some seconds, or until the next run when the process was killed, not wholly. An event
  whose class has changed may be seen twice until then, or not at all: it moves from one file to another.
- Files in progress are on this machine, below \`~/.local/state/edrlake\`. Where the next run finds them it completes
  the day, else it makes the day again; any machine can go on. It also aborts uploads that were not finished.
- A claim, \`_edrlake/owner.<number>.json\`, created by a conditional write, keeps other processes out. Before each
  write it is renewed when it is older than a minute. One that was not renewed for 15 minutes, by the clock of the
  bucket, counts for nothing: a process that was stopped for 15 minutes ends with \`LEASE_LOST\` instead of writing. A
  request of it that the network kept for 15 minutes would do harm until the next run, which notices it by size and time
  of the object.
- A bucket whose store ignores \`If-None-Match\` is refused, before the first publication.
- A run lists the target once and reads the document of each day, eight at a time: 1,000 days are about 1,000
  requests. A day that is published costs two requests a file, and two.`;

import { countText, instantText, isoInstant, nounText } from '@edrlake/core';
import type { EventWrite, EventWriteKind, FoundEvent } from '@edrlake/lake';
import type { EventExplanation, ExplainedWindow } from '@edrlake/runner/history';
import { wrapWords } from '../text/text-width.ts';

const MEANINGS: Readonly<Record<EventWriteKind, string>> = {
  stored: 'brought it',
  replaced: 'brought another version, which replaced the one before',
  confirmed: 'delivered again, every value the same',
  'replaced-or-confirmed': 'delivered again: replaced, or every value the same',
  withdrawn: 'deleted it, or its files were lost',
  rebuilt: 'the id index was rebuilt from the data files; what was before is not known',
};

/** The same as plain data. */
export function explanationDocument({ writes, broughtBy, windows }: EventExplanation) {
  const write = ({ kind, day, commit }: EventWrite) => ({
    kind,
    day,
    version: commit?.version ?? null,
    committedAt: commit === null ? null : isoInstant(commit.committedAtMs),
    runId: commit?.runId ?? null,
  });
  return {
    writes: writes.map(write),
    broughtBy: broughtBy === null ? null : write(broughtBy),
    windows: windows.map(({ version, broughtIt, pages, proof }) => ({
      windowId: proof.window.id,
      version,
      broughtIt,
      axis: proof.window.axis,
      from: isoInstant(proof.window.range.startMs),
      to: isoInstant(proof.window.range.endMs),
      scope: proof.window.scope,
      verdict: proof.verdict,
      counted: proof.counted,
      verifiedAt: isoInstant(proof.verifiedAtMs),
      pages:
        pages?.map(({ pageNumber, recordCount, atMs }) => ({ pageNumber, recordCount, at: isoInstant(atMs) })) ?? null,
    })),
  };
}

/** Where an event comes from, and what is not recorded. Ends with a line break. */
export function explanationText(found: FoundEvent, explanation: EventExplanation, width: number): string {
  const { writes, broughtBy, windows } = explanation;
  const brought = windows.filter(({ broughtIt }) => broughtIt);
  const parts = [
    `Where it is, in version ${found.version} of the lake (rows count from 0)`,
    ...placeLines(found),
    `  The event’s file ${originText(found.tables[0]?.rows[0]?.file ?? '')}.`,
    '',
    'Commits that wrote it',
    ...(writes.length === 0 ? ['  not known: the id index is damaged'] : writeLines(writes, width)),
    '',
    'Windows that select it',
    ...(windows.length === 0 ? ['  none has a proof'] : windowLines(windows, width)),
    '',
    'Fetched',
    ...fetchedLines(brought, broughtBy).flatMap((line) => wrapWords(line, width - 2).map((text) => `  ${text}`)),
    '',
    'Not recorded',
    ...notRecorded(found, brought).flatMap((line) => wrapWords(`– ${line}`, width - 2).map((text) => `  ${text}`)),
  ];
  return `${parts.join('\n')}\n`;
}

function originText(file: string): string {
  const [, kind = ''] = /-([crd]?)\d+\.parquet$/.exec(file) ?? [];
  const origins: Readonly<Record<string, string>> = {
    c: 'was merged from files of several commits',
    r: 'is a copy without rows that were replaced',
    d: 'is the result of edrlake deduplicate',
  };
  return origins[kind] ?? 'was written from fetched records';
}

/** Two lines for each: a run id stays whole, so that it can be pasted. */
function writeLines(writes: readonly EventWrite[], width: number): string[] {
  return writes.flatMap(({ kind, day, commit }) => {
    const what = wrapWords(`${MEANINGS[kind]}; its day was ${day}`, width - 4).map((line) => `    ${line}`);
    if (commit === null) return what;
    return [`  version ${commit.version} · ${isoInstant(commit.committedAtMs)} · run ${commit.runId}`, ...what];
  });
}

function windowLines(windows: readonly ExplainedWindow[], width: number): string[] {
  return windows.flatMap(({ version, broughtIt, proof: { window, verdict, counted } }) => {
    const { startMs, endMs } = window.range;
    const isAll = window.scope.filter === null && window.scope.state === null;
    const scope = isAll ? '' : ', of a filter';
    const text = `by ${window.axis} time ${instantText(startMs)} to ${instantText(endMs)}: ${countText(counted)} counted, ${verdict}${scope}; ${window.id}`;
    const mark = `${broughtIt ? '* ' : '  '}version ${version} `;
    return wrapWords(text, width - mark.length - 2).map(
      (line, at) => `  ${at === 0 ? mark : ' '.repeat(mark.length)}${line}`,
    );
  });
}

/** Rows of one file on one line below it: paths are long. */
function placeLines({ tables }: FoundEvent): string[] {
  return tables.flatMap(({ rows }) => {
    const files = [...new Set(rows.map(({ file }) => file))];
    return files.flatMap((file) => {
      const numbers = rows.filter((row) => row.file === file).map(({ rowNumber }) => countText(rowNumber));
      return [`  ${file}`, `    ${numbers.length === 1 ? 'row' : 'rows'} ${numbers.join(' · ')}`];
    });
  });
}

function fetchedLines(brought: readonly ExplainedWindow[], broughtBy: EventWrite | null): string[] {
  if (broughtBy === null) return ['The commit that brought it is not known.'];
  if (brought.length === 0) {
    return ['The windows of that commit have newer proofs, or none. It was fetched before the commit, by its run.'];
  }
  return brought.map(({ pages, proof }) => {
    if (pages === null)
      return `Window * was proven at ${isoInstant(proof.verifiedAtMs)}; the journal of its run is not here.`;
    const [first, last] = [pages[0], pages.at(-1)];
    if (first === undefined || last === undefined) return 'The journal of its run names no page of window *.';
    const when = first === last ? isoInstant(first.atMs) : `${isoInstant(first.atMs)} to ${isoInstant(last.atMs)}`;
    const which =
      pages.length === 1 ? `on page ${first.pageNumber}, the only one` : `on one of ${nounText(pages.length, 'page')}`;
    return `By window *, ${which}, at ${when}.`;
  });
}

function notRecorded({ writes, otherVersions }: FoundEvent, brought: readonly ExplainedWindow[]): string[] {
  const isOnePage = brought.some(({ pages }) => pages?.length === 1);
  const isReplaced = writes.some(({ kind }) => kind === 'replaced' || kind === 'replaced-or-confirmed');
  return [
    ...(isOnePage ? [] : ['which page it was on: pages are deleted once their windows are committed']),
    ...(isReplaced ? ['the values of versions that were replaced, once vacuum has emptied the trash'] : []),
    ...(writes.some(({ kind }) => kind === 'rebuilt') ? ['commits before the id index was rebuilt'] : []),
    ...otherVersions.map(
      ({ eventMs }) =>
        `another version of it, of ${isoInstant(eventMs)}: the API listed it, and only its times are kept`,
    ),
    'the request and the headers that it came with',
  ];
}

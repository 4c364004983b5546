import { idHash, SPOOL_BROKEN, SPOOL_MEMBERS } from '@edrlake/core';
import type { RecordSpec } from '../spec/record-spec.ts';
import { type ReadRecord, readRecord } from './flatten-record.ts';
import { extraOf } from './flatten-section.ts';
import { isSection, type JsonObject, jsonText, memberOf, parseJson } from './json-tree.ts';

/** A spooled line, read in this process. */
export interface SpooledRecord extends ReadRecord {
  /** Of the line: another record has another one. */
  readonly contentHash: bigint;
  /** JSON text of what is kept of the record where it is a reject. */
  readonly kept: string;
}

/**
 * Reads a line of the spool as the SQL does: a conforming record brings what no column takes along, an irregular one is
 * the text of the record, and of one that could not be read the reason is known and some members are.
 * @throws {SyntaxError} when the line is not what the page scan writes
 */
export function readSpooled(spec: RecordSpec, line: string): SpooledRecord {
  const contentHash = idHash(line);
  if (!line.startsWith(ODD_BEGIN)) {
    return { ...readRecord(spec, parseJson(line), spooledExtra), contentHash, kept: line };
  }
  const text = String((JSON.parse(line) as Readonly<Record<string, unknown>>)[SPOOL_MEMBERS.irregular]);
  if (!text.startsWith(SPOOL_BROKEN)) {
    return { ...readRecord(spec, parseJson(text), extraOf), contentHash, kept: text };
  }
  const broken = parseJson(text.slice(SPOOL_BROKEN.length)) as JsonObject;
  const { event } = readRecord(spec, parseJson(String(broken.fields)), extraOf);
  const reject = { reason: String(broken.reason), path: null };
  return { event, reject, rows: new Map(), contentHash, kept: jsonText(broken.record ?? null) };
}

const ODD_BEGIN = `{"${SPOOL_MEMBERS.irregular}":"`;

/** The scan has collected it: with names, of sections too, that no column knows. */
function spooledExtra(section: JsonObject): string | null {
  const extra = memberOf(section, SPOOL_MEMBERS.extra);
  return isSection(extra) ? jsonText(extra) : null;
}

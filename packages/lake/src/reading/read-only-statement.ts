import { type DuckDBConnection, type DuckDBPreparedStatement, StatementType } from '@duckdb/node-api';
import { EdrlakeError } from '@edrlake/core';

// Two locks keep the SQL of a user from writing: here the kind of statement, and in `locked-session.ts` the settings of
// DuckDB, which is locked with the folders that may be opened. The second alone would still allow writing into the
// lake.

/** Statements that only read. */
const READING: ReadonlySet<StatementType> = new Set([
  StatementType.SELECT,
  StatementType.EXPLAIN,
  StatementType.PRAGMA,
  StatementType.CALL,
]);

/** First words of statements that write, and that DuckDB refuses before it says what kind they are. */
const WRITING: ReadonlySet<string> = new Set(['INSERT', 'UPDATE', 'DELETE', 'MERGE', 'COPY']);

/**
 * Prepares one statement that only reads. What EXPLAIN explains has to read as well: with ANALYZE it runs.
 * @throws {EdrlakeError} `QUERY_FAILED`; what DuckDB itself throws is not translated
 */
export async function prepareReading(connection: DuckDBConnection, sql: string): Promise<DuckDBPreparedStatement> {
  const prepared = await prepareOne(connection, sql);
  if (prepared.statementType === StatementType.EXPLAIN) {
    const { statementType } = await prepareOne(connection, explainedBy(sql));
    // A statement that explains an explanation would be looked into only once.
    if (statementType === StatementType.EXPLAIN) throw onlyQueries('EXPLAIN of EXPLAIN');
  }
  return prepared;
}

async function prepareOne(connection: DuckDBConnection, sql: string): Promise<DuckDBPreparedStatement> {
  // DuckDB makes the folder of an export while it prepares the statement.
  if (wordAfterBlanks(sql, 'nested') === 'EXPORT' || wordAfterBlanks(sql, 'plain') === 'EXPORT') {
    throw onlyQueries('EXPORT');
  }
  // What DuckDB says of these is about its settings, or about a view that is no table.
  const words = [wordAfterBlanks(sql, 'nested'), wordAfterBlanks(sql, 'plain')];
  const writing = words.find((word) => WRITING.has(word));
  if (writing !== undefined) throw onlyQueries(writing);
  // Of a text without a statement, DuckDB says nothing but that its native code failed.
  const hasNone = blanksLength(sql, 'nested') === sql.length || blanksLength(sql, 'plain') === sql.length;
  const statements = hasNone ? null : await connection.extractStatements(sql);
  if (statements === null || statements.count !== 1) {
    throw new EdrlakeError('QUERY_FAILED', `expected one statement, found ${statements?.count ?? 'none'}`, {
      hint: statements === null ? 'For example: select count(*) from events' : 'Run the statements one by one.',
    });
  }
  const prepared = await statements.prepare(0);
  if (!READING.has(prepared.statementType)) throw onlyQueries(StatementType[prepared.statementType] ?? 'another');
  // It would run all statements of a file, writing ones as well.
  const isPragma = prepared.statementType === StatementType.PRAGMA || prepared.statementType === StatementType.CALL;
  if (isPragma && /import_database/i.test(sql)) throw onlyQueries('IMPORT');
  return prepared;
}

function onlyQueries(found: string): EdrlakeError {
  return new EdrlakeError('QUERY_FAILED', `only queries are allowed, found ${found}`, {
    hint:
      found === 'COPY'
        ? 'To have rows in a file: edrlake query … --format parquet --output FILE'
        : 'Open lake.duckdb with the DuckDB shell for anything that writes; its views read the same files.',
  });
}

/** The statement behind EXPLAIN and its options; empty where it is not found, which is then no statement. */
function explainedBy(sql: string): string {
  const explain = takeWord(sql, 'EXPLAIN');
  if (explain === null) return '';
  let rest = explain;
  for (const option of ['ANALYZE', 'ANALYSE', 'VERBOSE']) rest = takeWord(rest, option) ?? rest;
  const behind = rest.slice(blanksLength(rest, 'nested'));
  return behind.replace(/^\(\s*(?:ANALYZE|ANALYSE|VERBOSE|FORMAT)\b[^()]*\)/i, '');
}

/** What follows a word; null where another one comes first. */
function takeWord(sql: string, word: string): string | null {
  const rest = sql.slice(blanksLength(sql, 'nested'));
  return /^\w+/.exec(rest)?.[0]?.toUpperCase() === word ? rest.slice(word.length) : null;
}

/** Whether a comment may hold comments: both readings are checked where a wrong one would let something through. */
type Comments = 'nested' | 'plain';

function wordAfterBlanks(sql: string, comments: Comments): string {
  return /^\w*/.exec(sql.slice(blanksLength(sql, comments)))?.[0].toUpperCase() ?? '';
}

/** How many characters of white space, semicolons and comments a text begins with. */
function blanksLength(sql: string, comments: Comments): number {
  let at = 0;
  for (;;) {
    const blank = /^[\s;]+|^--[^\r\n]*/.exec(sql.slice(at))?.[0].length ?? 0;
    const comment = blank === 0 && sql.startsWith('/*', at) ? commentLength(sql, at, comments) : 0;
    if (blank + comment === 0) return at;
    at += blank + comment;
  }
}

function commentLength(sql: string, start: number, comments: Comments): number {
  let depth = 0;
  for (const { 0: mark, index } of sql.slice(start).matchAll(/\/\*|\*\//g)) {
    if (mark === '/*') depth = comments === 'nested' ? depth + 1 : 1;
    else depth -= 1;
    if (depth === 0) return index + 2;
  }
  return sql.length - start;
}

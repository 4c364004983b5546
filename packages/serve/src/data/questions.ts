import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { QuestionsDocument } from '../documents/documents.ts';
import { ASK_LIMITS } from './ask.ts';
import type { PageContext } from './page-context.ts';

/** Files that are offered; the first by name. */
const MOST = 200;

/** UTF-8 needs no more bytes for as many characters as a question may have. */
const MOST_BYTES = ASK_LIMITS.sqlLength * 4;

/**
 * The questions that come with the lake: `*.sql` in the folder, read anew each time, so that a change shows with the
 * next look. Folders and links are left out, so that nothing from elsewhere can be read through the page.
 */
export async function questionsDocument({ questionsFolder }: PageContext): Promise<QuestionsDocument> {
  if (questionsFolder === null) return { questions: [], left: 0 };
  const entries = await readdir(questionsFolder, { withFileTypes: true }).catch(() => []);
  const names = entries.filter((entry) => entry.isFile() && entry.name.endsWith('.sql')).map(({ name }) => name);
  const shown = names.sort().slice(0, MOST);
  const read = await Promise.all(shown.map((name) => readQuestion(questionsFolder, name)));
  const questions = read.filter((question) => question !== null);
  return { questions, left: names.length - questions.length };
}

/** null where it cannot be read, is empty or longer than what may be asked. */
async function readQuestion(folder: string, name: string): Promise<QuestionsDocument['questions'][number] | null> {
  const path = join(folder, name);
  try {
    if ((await stat(path)).size > MOST_BYTES) return null;
    const sql = (await readFile(path, 'utf8')).replace(/^\uFEFF/, '').trim();
    if (sql === '' || sql.length > ASK_LIMITS.sqlLength) return null;
    return { name: name.slice(0, -'.sql'.length), about: aboutOf(sql), sql };
  } catch {
    return null;
  }
}

/** The comment that the file begins with, if any, on one line. */
function aboutOf(sql: string): string | null {
  const comment = /^(?:--[^\n]*(?:\n|$))+/.exec(sql)?.[0] ?? '';
  const words = comment.replaceAll(/^--/gm, '').split(/\s+/).join(' ').trim();
  return words === '' ? null : words.slice(0, 200);
}

/** A question that was saved in this browser. */
export interface SavedQuestion {
  readonly name: string;
  readonly sql: string;
}

const KEY = 'questions';

/** More would not be found in a list, and all of them are read at each look. */
const MOST = 200;

/** The saved questions by name. What others have put there under the same key, and what is damaged, is left out. */
export function readSaved(): SavedQuestion[] {
  try {
    const found: unknown = JSON.parse(localStorage.getItem(KEY) ?? '[]');
    return Array.isArray(found) ? found.filter(isQuestion).slice(0, MOST) : [];
  } catch {
    return [];
  }
}

/** The same, of which one is new or replaces that of its name. @throws where there are too many */
export function withSaved(before: readonly SavedQuestion[], question: SavedQuestion): SavedQuestion[] {
  const others = before.filter(({ name }) => name !== question.name);
  if (others.length >= MOST) throw new Error(`There are ${MOST} saved questions already. Delete one first.`);
  return [...others, question].sort((a, b) => a.name.localeCompare(b.name, 'en'));
}

/** Keeps them in this browser. @throws where it keeps nothing for this page, or has no room */
export function writeSaved(questions: readonly SavedQuestion[]): void {
  localStorage.setItem(KEY, JSON.stringify(questions));
}

/** Calls back when another tab of this browser has changed them. @returns ends it */
export function onSavedElsewhere(listener: () => void): () => void {
  const onStorage = ({ key }: StorageEvent) => {
    if (key === KEY || key === null) listener();
  };
  addEventListener('storage', onStorage);
  return () => removeEventListener('storage', onStorage);
}

function isQuestion(found: unknown): found is SavedQuestion {
  const { name, sql } = (found ?? {}) as Partial<Record<string, unknown>>;
  return typeof name === 'string' && name !== '' && typeof sql === 'string' && sql !== '';
}

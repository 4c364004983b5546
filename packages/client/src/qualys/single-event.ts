/**
 * The JSON text of the one event in an answer: an object, a list of one, or either in `{"data": …}`. It is extracted
 * from the answer and not rebuilt, so that 64-bit numbers keep all their digits and the text stays as delivered.
 * @returns null when the answer has no event
 * @throws {SyntaxError} when the text is not JSON
 */
export function cutSingleEvent(text: string): string | null {
  let event = text.trim();
  let value: unknown = JSON.parse(event);
  // {"data": [{…}]} is the deepest documented nesting.
  for (let depth = 0; depth < 3; depth++) {
    if (Array.isArray(value)) {
      if (value.length !== 1) return null;
      value = value[0];
      event = event.slice(1, -1).trim();
    } else if (isObject(value) && isWrapper(value)) {
      value = value.data;
      event = cutMember(event, 'data');
    } else {
      break;
    }
  }
  return isObject(value) && !isWrapper(value) && Object.keys(value).length > 0 ? event : null;
}

/** An event may have a field `data` itself; then it also has an id or a time. */
function isWrapper(value: Record<string, unknown>): boolean {
  return Object.hasOwn(value, 'data') && !['id', 'eventId', 'dateTime'].some((name) => Object.hasOwn(value, name));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/**
 * The text of a member of an object known to be valid JSON; of the last one, as `JSON.parse` does, if it comes twice;
 * empty when it is absent.
 */
export function cutMember(objectText: string, name: string): string {
  let found = '';
  let depth = 0;
  let key: string | null = null;
  let startAt = 1;
  for (let at = 0; at < objectText.length; at++) {
    const character = objectText[at];
    if (character === '"') {
      const endAt = endOfString(objectText, at);
      if (depth === 1 && key === null) key = JSON.parse(objectText.slice(at, endAt + 1)) as string;
      at = endAt;
    } else if (character === ':' && depth === 1) {
      startAt = at + 1;
    } else if ((character === ',' && depth === 1) || (character === '}' && depth === 1)) {
      if (key === name) found = objectText.slice(startAt, at).trim();
      key = null;
      if (character === '}') depth--;
    } else if (character === '{' || character === '[') {
      depth++;
    } else if (character === '}' || character === ']') {
      depth--;
    }
  }
  return found;
}

function endOfString(text: string, startAt: number): number {
  let at = startAt + 1;
  while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}

const INDENT = '  ';

/**
 * JSON text with line breaks and indentation, values untouched: numbers keep all their digits, strings their escapes,
 * which parsing and printing anew would not promise.
 * @param text valid JSON
 */
export function indentJson(text: string): string {
  let out = '';
  let depth = 0;
  for (const [token] of text.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s"{}[\],:]+/gs)) {
    if (token === '}' || token === ']') {
      depth -= 1;
      const isEmpty = out.endsWith('{') || out.endsWith('[');
      out += isEmpty ? token : `\n${INDENT.repeat(depth)}${token}`;
      continue;
    }
    if (out.endsWith('{') || out.endsWith('[') || out.endsWith(',')) out += `\n${INDENT.repeat(depth)}`;
    out += token === ':' ? ': ' : token;
    if (token === '{' || token === '[') depth += 1;
  }
  return out;
}

import type { EventAttributes } from '../world/attributes.ts';
import { draw } from '../world/hash.ts';
import type { Identities } from '../world/identity.ts';
import type { Population } from '../world/population.ts';

const SALT = { form: 80, confidence: 81 } as const;
const CATEGORIES = ['Trojan', 'Ransomware', 'Backdoor', 'Downloader'] as const;

/** The verdict in the indicators of an event. */
export function verdictOf(attributes: EventAttributes, index: number, revision: number): string {
  const score = attributes.score(index, revision);
  if (score >= 6) return 'MALICIOUS';
  if (score >= 3) return 'SUSPICIOUS';
  return draw(attributes.seed, index, SALT.form) % 9 === 0 ? 'UNKNOWN' : 'KNOWN';
}

/**
 * `,"indicator1":[…],"indicator2":[…]` with as many elements as the attributes say, or null, an empty array or nothing.
 * Scores are numbers or text; verdict, family and category text, arrays or null; an unknown family blank.
 */
export function indicatorsJson(
  attributes: EventAttributes,
  identities: Identities,
  population: Population,
  index: number,
): string {
  const { first, second } = attributes.indicatorCounts(index);
  const form = draw(attributes.seed, index, SALT.form);
  let text = '';
  if (first > 0) text += `,"indicator1":[${element(attributes, identities, population, index, 9)}]`;
  else if (form % 16 === 3) text += ',"indicator1":null';
  if (second === 0) return text + (['', ',"indicator2":[]', ',"indicator2":null'][form % 3] as string);
  text += `,"indicator2":[${element(attributes, identities, population, index, 0)}`;
  for (let nth = 1; nth < second; nth += 1) text += `,${element(attributes, identities, population, index, nth)}`;
  return `${text}]`;
}

function element(
  attributes: EventAttributes,
  identities: Identities,
  population: Population,
  index: number,
  nth: number,
): string {
  const { seed } = attributes;
  const revision = population.revisionOf(index);
  const form = draw(seed, index, SALT.form + nth) % 12;
  const score = attributes.score(index, revision);
  const family = attributes.family(index);
  const scoreText = form % 2 === 0 ? `${score}` : `"${score}"`;
  const category = family === null ? null : CATEGORIES[family.length % CATEGORIES.length];
  const unknown =
    attributes.unknownPart(index) === 'top-level' ? `,"confidence":${draw(seed, index, SALT.confidence) % 100}` : '';
  const threat = family === null ? '' : `,"threatName":"Win32.${family}"`;
  return (
    `{"score":${scoreText},"sha256":"${attributes.file(index).sha256}","familyName":${valueJson(family ?? null, form)},` +
    `"verdict":${valueJson(verdictOf(attributes, index, revision), form)},"category":${valueJson(category ?? null, form)}` +
    `${threat},"rowId":"${identities.rowId(index)}"${unknown}}`
  );
}

/** A known value as text or as an array of one; an unknown one blank, an array of a blank, or null. */
function valueJson(value: string | null, form: number): string {
  if (value !== null) return form < 9 ? `"${value}"` : `["${value}"]`;
  if (form < 6) return '" "';
  if (form < 8) return '""';
  return form < 10 ? 'null' : '[""]';
}

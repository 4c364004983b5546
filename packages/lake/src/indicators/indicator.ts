import { isIP } from 'node:net';
import type { Observable } from '@edrlake/core';

/** What an indicator turned out to be. */
export type IndicatorKind =
  | 'md5'
  | 'sha1'
  | 'sha256'
  | 'certificate'
  | 'ip'
  | 'network'
  | 'domain'
  | 'url'
  | 'host'
  | 'agent'
  | 'event'
  | 'file'
  | 'path';

/** One way to look for an indicator: in columns of one kind. */
export interface Sought {
  readonly observable: Observable;
  /**
   * `equal`: the value itself, in any case. `subdomains`: the name and all names below it. `network`: addresses in a
   * CIDR block, or one address in any spelling. `wildcard`: a text in which `*` is anything and `?` one character.
   */
  readonly how: 'equal' | 'subdomains' | 'network' | 'wildcard';
  /** Lower case. */
  readonly value: string;
}

/** A value that is hunted. */
export interface Indicator {
  /** The value as it was given, without the brackets that keep it from being clicked. */
  readonly text: string;
  readonly kind: IndicatorKind;
  /** Where it is looked for; several where the text alone does not say what it is. */
  readonly sought: readonly Sought[];
}

/** Undoes what keeps people from clicking: `hxxp://`, `[.]`, `(dot)`, `[:]`, `[at]`. */
function refang(text: string): string {
  return text
    .replaceAll(/[[({](?:\.|dot)[\])}]/gi, '.')
    .replaceAll(/[[({]:(\/\/)?[\])}]/g, (_, slashes: string | undefined) => `:${slashes ?? ''}`)
    .replaceAll(/[[({](?:@|at)[\])}]/gi, '@')
    .replace(/^(?:hxxp|h\*\*p|meow|hXXp)(s?):/i, 'http$1:')
    .replace(/^fxp(s?):/i, 'ftp$1:');
}

/** Words that, with a colon before a value, say of what kind it is, as in `host:WS-001`. */
const PREFIXES: ReadonlyMap<string, IndicatorKind> = new Map([
  ['md5', 'md5'],
  ['sha1', 'sha1'],
  ['sha256', 'sha256'],
  ['cert', 'certificate'],
  ['ip', 'ip'],
  ['domain', 'domain'],
  ['url', 'url'],
  ['host', 'host'],
  ['agent', 'agent'],
  ['event', 'event'],
  ['file', 'file'],
  ['path', 'path'],
]);

/**
 * Recognises one indicator by its form; `host:`, `file:`, `event:` and others in front decide it.
 * @returns null where the text is of no known form
 */
export function recognise(given: string): Indicator | null {
  const text = refang(given.trim());
  const prefixed = /^([a-z0-9]+):(?!\/\/)(.+)$/i.exec(text);
  const kind = PREFIXES.get(prefixed?.[1]?.toLowerCase() ?? '');
  if (kind !== undefined && prefixed?.[2] !== undefined) return indicatorOf(kind, prefixed[2].trim());
  const found = kindOf(text);
  const indicator = found === null ? null : indicatorOf(found, text);
  return indicator?.kind === 'domain' ? withFileName(indicator) : indicator;
}

/**
 * The indicator of a kind that a list has named.
 * @returns null where the text cannot be of that kind
 */
export function indicatorOf(kind: IndicatorKind, given: string): Indicator | null {
  const text = refang(given.trim());
  const value = text.toLowerCase();
  if (value === '') return null;
  const equal = (observable: Observable): Indicator => ({ text, kind, sought: [{ observable, how: 'equal', value }] });
  switch (kind) {
    case 'md5':
      return /^[0-9a-f]{32}$/.test(value) ? equal('md5') : null;
    case 'sha1':
      return /^[0-9a-f]{40}$/.test(value) ? equal('sha1') : null;
    case 'sha256':
      return /^[0-9a-f]{64}$/.test(value) ? equal('sha256') : null;
    case 'ip':
    case 'network':
      return addressOf(text, value);
    case 'url':
      return urlOf(text);
    case 'domain':
      return domainOf(text, value);
    case 'file':
    case 'path':
      return { text, kind, sought: [{ observable: kind, how: hasWildcard(value) ? 'wildcard' : 'equal', value }] };
    default:
      return equal(kind);
  }
}

function addressOf(text: string, value: string): Indicator | null {
  const [address = '', bits, ...rest] = value.split('/');
  const version = isIP(address);
  if (version === 0 || rest.length > 0) return null;
  const widest = version === 4 ? 32 : 128;
  if (bits !== undefined && (!/^\d{1,3}$/.test(bits) || Number(bits) > widest)) return null;
  const isOne = bits === undefined || Number(bits) === widest;
  // One IPv6 address has many spellings, so it is looked for as a network of one.
  const how = version === 4 && isOne ? 'equal' : 'network';
  const sought = version === 4 && isOne ? address : `${address}/${bits ?? widest}`;
  return { text, kind: isOne ? 'ip' : 'network', sought: [{ observable: 'ip', how, value: sought }] };
}

function urlOf(text: string): Indicator | null {
  const host = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/@]*@)?(\[[^\]]+\]|[^/:?#]+)/i.exec(text)?.[1]?.replaceAll(/^\[|\]$/g, '');
  if (host === undefined) return null;
  const inner = isIP(host) === 0 ? domainOf(host, host.toLowerCase()) : addressOf(host, host.toLowerCase());
  return inner === null ? null : { text, kind: 'url', sought: inner.sought };
}

/** A label of a name; `_` for service records, and letters of other scripts. */
const DOMAIN =
  /^(?:\*\.)?(?=.{1,253}\.?$)(?:[\p{L}\p{N}_](?:[\p{L}\p{N}_-]{0,61}[\p{L}\p{N}_])?\.)+[\p{L}][\p{L}\p{N}-]*\.?$/u;

/** A name with all names below it; the dataset may know it as a host as well. */
function domainOf(text: string, value: string): Indicator | null {
  if (!DOMAIN.test(value)) return null;
  const name = value.replace(/^\*\./, '').replace(/\.$/, '');
  return {
    text,
    kind: 'domain',
    sought: [
      { observable: 'domain', how: 'subdomains', value: name },
      { observable: 'host', how: 'equal', value: name },
    ],
  };
}

function hasWildcard(value: string): boolean {
  return /[*?]/.test(value);
}

/** Ends of file names that are no top-level domains. */
const EXTENSIONS = new Set(
  `exe dll sys drv ocx cpl scr bat cmd ps1 psm1 vbs vbe js jse wsf wsh hta msi msp jar lnk inf reg tmp dat bin img iso
   vhd doc docx docm dot dotm xls xlsx xlsm xlsb ppt pptx pptm rtf pdf txt log csv xml json ini cfg chm 7z rar gz tar
   cab ace arj bak old php asp aspx jsp elf dylib deb rpm apk ko conf yml yaml eml msg one url scf sct`.split(/\s+/),
);

/** Ends of file names that are top-level domains as well: both are hunted. */
const EITHER = new Set('com sh py pl zip mov app rs md ps cc so pub'.split(' '));

/** The kind that the form of a text shows. */
function kindOf(text: string): IndicatorKind | null {
  const value = text.toLowerCase();
  if (/^[0-9a-f]+$/.test(value)) {
    if (value.length === 32) return 'md5';
    if (value.length === 40) return 'sha1';
    if (value.length === 64) return 'sha256';
  }
  if (addressOf(text, value) !== null) return value.includes('/') ? 'network' : 'ip';
  if (/^[a-z][a-z0-9+.-]*:\/\//.test(value)) return 'url';
  if (/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(value)) return 'agent';
  // A network with a slip of the pen is no path.
  if (/^[\d.]+\/\d/.test(value)) return null;
  if (/[\\/]/.test(value)) return 'path';
  const extension = /\.([^.]+)$/.exec(value)?.[1] ?? '';
  if (EXTENSIONS.has(extension)) return 'file';
  if (DOMAIN.test(value)) return 'domain';
  if (hasWildcard(value) && /[\p{L}\p{N}]/u.test(value)) return 'file';
  return /^[a-z0-9](?:[a-z0-9_-]{0,62})$/.test(value) && /[a-z]/.test(value) ? 'host' : null;
}

/** A domain whose end is also one of file names is looked for as a file too. */
function withFileName(domain: Indicator): Indicator {
  const value = domain.text.toLowerCase();
  const isEither = EITHER.has(/\.([^.]+)$/.exec(value)?.[1] ?? '');
  return isEither ? { ...domain, sought: [...domain.sought, { observable: 'file', how: 'equal', value }] } : domain;
}

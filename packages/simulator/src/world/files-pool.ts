import { draw, hexDigest, pick } from './hash.ts';
import { apiTimestamp, DAY_MS } from './time-text.ts';

/** A code-signing certificate as it appears on files. */
export interface Certificate {
  /** A signed 64-bit number as text. */
  readonly hash: string;
  readonly issuer: string;
  readonly issuedTo: string;
  readonly valid: boolean;
  readonly signed: boolean;
  readonly signedDate: string;
  readonly expiryDate: string;
}

/** A file in events. */
export interface KnownFile {
  readonly directory: string;
  readonly name: string;
  /** Without a dot. */
  readonly extension: string;
  readonly md5: string;
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly createdMs: number;
  readonly company: string;
  readonly product: string;
  readonly version: string;
  readonly certificates: readonly Certificate[];
  /** The malware family, or null for a harmless file. */
  readonly family: string | null;
  /** One of a fixed set, so that results derived from it are worth remembering. */
  readonly pooled: boolean;
}

/** Names of malware families, each given to several files. */
export const FAMILIES = ['Emotet', 'TrickBot', 'Ryuk', 'Qakbot', 'Agent Tesla', 'Cobalt Strike', 'NjRAT', 'WannaCry'];

const ISSUERS = [
  ['DigiCert High Assurance Code Signing CA-1', 'Avira Operations GmbH & Co. KG'],
  ['Microsoft Code Signing PCA 2010', 'Microsoft Corporation'],
  ['Microsoft Windows Production PCA 2011', 'Microsoft Windows'],
  ['Microsoft Code Signing PCA', 'Microsoft Corporation'],
  ['Microsoft Code Signing PCA 2011', 'Microsoft Corporation'],
  ['VeriSign Class 3 Code Signing 2010 CA', 'Adobe Systems Incorporated'],
  ['GlobalSign CodeSigning CA - SHA256 - G3', 'Société Générale'],
  ['Sectigo RSA Code Signing CA', 'Oracle America, Inc.'],
  ['thawte SHA256 Code Signing CA', 'Mozilla Corporation'],
  ['Self Signed', 'unknown "publisher"'],
] as const;
const DIRECTORIES = [
  'C:\\Windows\\System32',
  'C:\\Windows\\System32\\en-US',
  'C:\\Windows\\SysWOW64',
  'C:\\Program Files\\Common Files\\Microsoft Shared\\ClickToRun',
  'C:\\Program Files (x86)\\Google\\Chrome\\Application\\84.0.4147.125',
  'C:\\Users\\alice\\AppData\\Local\\Temp',
  'C:\\Users\\jürgen\\Downloads',
  'C:\\WINDOWS\\WinSxS\\amd64_netfx4-system.resources.writer_b03f5f7f11d50a3a_4.0.15671.0_none_86de4e4319dba14f',
  'C:\\ProgramData\\Package Cache\\{37B8F9C7-03FB-3253-8781-2517C99D7C00}v11.0.61030',
  'D:\\Data\\Projekte\\Übersicht',
] as const;
const STEMS = [
  'energyprov',
  'wbemdisp',
  'fltlib',
  'updater',
  'setup',
  'winlogon',
  'invoice',
  'report',
  'chrome',
  'msedge',
];
const EXTENSIONS = ['dll', 'exe', 'mui', 'tlb', 'sys', 'ps1', 'docm', 'tmp'] as const;
const COMPANIES = [
  ['Microsoft Corporation', 'Microsoft® Windows® Operating System'],
  ['Google LLC', 'Google Chrome'],
  ['Adobe Inc.', 'Adobe Acrobat Reader DC'],
  ['', ' '],
] as const;

const CERTIFICATES = 40;
const FILES = 3000;
const MALWARE = 96;
const SALT = { certificate: 200, file: 220, sha: 230, md5: 240, size: 250, certCount: 251, created: 252 };
const YEAR_2018_MS = Date.UTC(2018, 0, 1);

/** The files of the account. The same share always gives the same file. */
export interface FilePool {
  /** One of the harmless files, most used first. @param share from 0 to below 1 */
  harmless(share: number): KnownFile;
  /** One of the malware. @param share from 0 to below 1 */
  malware(share: number): KnownFile;
  /** A file of exactly one event; the same index always gives the same file. */
  singleFile(index: number): KnownFile;
}

/** Of fixed size for any number of events; a file is created when it is first requested. */
export function filePoolOf(seed: number): FilePool {
  const certificates = Array.from({ length: CERTIFICATES }, (_, at) => certificateAt(seed, at));
  const malwareSeed = seed ^ 0x5bd1e995;
  const singleSeed = seed ^ 0x27d4eb2f;
  return {
    harmless: oneOf(FILES, (at) => fileAt(seed, at, certificates, null, true)),
    malware: oneOf(MALWARE, (at) => fileAt(malwareSeed, at, certificates, pick(FAMILIES, at), true)),
    singleFile: (index) => fileAt(singleSeed, index, certificates, null, false),
  };
}

function oneOf(count: number, make: (at: number) => KnownFile): (share: number) => KnownFile {
  const made: KnownFile[] = [];
  return (share) => {
    const at = Math.floor(share * count);
    made[at] ??= make(at);
    return made[at];
  };
}

function certificateAt(seed: number, at: number): Certificate {
  const [issuer, issuedTo] = pick(ISSUERS, at);
  const drawn = draw(seed, at, SALT.certificate);
  const signedMs = Date.UTC(2008, 9, 22) + (drawn % 4000) * DAY_MS + (drawn % 86_400) * 1000;
  return {
    hash: `${at % 4 === 0 ? '-' : ''}35${String(drawn).padStart(10, '0')}${String(1_000_000 + at)}`,
    issuer,
    issuedTo,
    valid: drawn % 5 !== 0,
    signed: issuer !== 'Self Signed',
    signedDate: apiTimestamp(signedMs),
    expiryDate: apiTimestamp(signedMs + 700 * DAY_MS),
  };
}

function fileAt(
  seed: number,
  at: number,
  certificates: readonly Certificate[],
  family: string | null,
  pooled: boolean,
): KnownFile {
  const drawn = draw(seed, at, SALT.file);
  const extension = pick(EXTENSIONS, drawn >>> 4);
  const [company, product] = family === null ? pick(COMPANIES, drawn >>> 8) : (['', ''] as const);
  const count = certificateCount(draw(seed, at, SALT.certCount), family);
  const first = draw(seed, at, SALT.certCount) % certificates.length;
  return {
    directory: pick(DIRECTORIES, drawn),
    name: `${pick(STEMS, drawn >>> 12)}${at}.${extension}`,
    extension,
    md5: hexDigest(seed, at, SALT.md5, 4),
    sha256: hexDigest(seed, at, SALT.sha, 8),
    sizeBytes: 512 + (draw(seed, at, SALT.size) % 40_000_000),
    createdMs: YEAR_2018_MS + (draw(seed, at, SALT.created) % 50_000_000) * 1000,
    company,
    product,
    version: `10.0.${18_000 + (drawn % 900)}.${drawn % 10}`,
    certificates: Array.from({ length: count }, (_, nth) => pick(certificates, first + nth * 7)),
    family,
    pooled,
  };
}

/** 0 to 5, most often several; malware is mostly unsigned. */
function certificateCount(drawn: number, family: string | null): number {
  if (family !== null) return drawn % 4 === 0 ? 1 : 0;
  return pick([0, 0, 1, 1, 1, 2, 2, 3, 4, 5], drawn >>> 6);
}

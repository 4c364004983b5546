import { draw, pick } from '../world/hash.ts';
import { apiTimestamp } from '../world/time-text.ts';

/** A process that caused an event: its actor, or the subject of a PROCESS event. */
export interface Program {
  readonly processName: string;
  readonly imagePath: string;
  readonly userName: string;
  readonly userId: string;
  readonly arguments: string;
  readonly sid: string;
}

const IMAGES = [
  ['svchost.exe', 'C:\\Windows\\System32\\svchost.exe', '-k LocalServiceNetworkRestricted -p -s TimeBrokerSvc'],
  ['explorer.exe', 'C:\\Windows\\explorer.exe', ''],
  ['chrome.exe', 'C:\\Program Files (x86)\\Google\\Chrome\\Application\\chrome.exe', '--type=renderer --lang=de'],
  ['powershell.exe', 'C:\\Windows\\System32\\WindowsPowerShell\\v1.0\\powershell.exe', '-enc "SQBFAFgA\tAA=="'],
  ['msiexec.exe', 'C:\\Windows\\System32\\msiexec.exe', '/V'],
  ['winword.exe', 'C:\\Program Files\\Microsoft Office\\root\\Office16\\WINWORD.EXE', '/n "Angebot für Größe.docm"'],
  ['TrustedInstaller.exe', 'C:\\Windows\\servicing\\TrustedInstaller.exe', ' '],
  ['cmd.exe', 'C:\\Windows\\System32\\cmd.exe', '/c "echo %PATH% & dir C:\\\\"'],
] as const;
const USERS = [
  ['NT AUTHORITY\\LOCAL SERVICE', 'LOCAL SERVICE', 'S-1-5-19'],
  ['NT AUTHORITY\\SYSTEM', 'SYSTEM', 'S-1-5-18'],
  ['CORP\\jürgen', 'jürgen', 'S-1-5-21-1004336348-1177238915-682003330-1001'],
  ['CORP\\alice', 'alice', 'S-1-5-21-1004336348-1177238915-682003330-1002'],
  ['', ' ', ''],
] as const;

/** Every image with every user. */
export const PROGRAMS: readonly Program[] = IMAGES.flatMap(([processName, imagePath, args]) =>
  USERS.map(([userName, userId, sid]) => ({ processName, imagePath, userName, userId, arguments: args, sid })),
);

const SALT = { program: 60, pid: 61, created: 62, elevated: 63 } as const;

/** The program behind an event. */
export function programOf(seed: number, index: number): Program {
  return pick(PROGRAMS, draw(seed, index, SALT.program));
}

/** The actor's process number. */
export function actorPid(seed: number, index: number): number {
  return 4 * (1 + (draw(seed, index, SALT.pid) % 5000));
}

/** The beginning of each program's `actor` section, up to the parts that differ by event. */
const actorHeads = PROGRAMS.map(
  ({ processName, userName, imagePath, userId }) =>
    `"processName":${JSON.stringify(processName)},"type":"PROCESS","userName":${JSON.stringify(userName)},` +
    `"imageFullPath":${JSON.stringify(imagePath)},"userId":${JSON.stringify(userId)}`,
);

/**
 * The `actor` section of a list record: the creation date often the epoch or missing, `elevated` a boolean, text or
 * missing.
 */
export function actorJson(seed: number, index: number, timeMs: number): string {
  const head = actorHeads[draw(seed, index, SALT.program) % actorHeads.length];
  const created = draw(seed, index, SALT.created);
  const createdJson =
    created % 4 === 0
      ? ''
      : `,"createDate":"${created % 4 === 1 ? apiTimestamp(timeMs - (created % 86_400_000)) : '1970-01-01T00:00:00.000+0000'}"`;
  const elevated = draw(seed, index, SALT.elevated) % 8;
  return `{"processId":${actorPid(seed, index)},${head}${createdJson}${elevatedJson(elevated)}}`;
}

/** `,"elevated":…` as a boolean or as text, or nothing. */
export function elevatedJson(choice: number): string {
  if (choice > 3) return '';
  return `,"elevated":${['true', 'false', '"true"', '"false"'][choice]}`;
}

import { posix } from 'node:path';
import type { TextFile } from './repository.ts';
import type { Source } from './source.ts';
import type { Violation } from './violation.ts';

const MAX_FILE_LINES = 350;

/** Longer files, with the reason: the only one there may be is that a part of it alone would be harder to find. */
const LONG_FILES: Readonly<Record<string, string>> = {
  'packages/core/src/errors/error-codes.ts': 'one table, in which each code is looked up by its name',
};

/** Folders that exist only on the machine of the author. Windows paths are left alone: they are what events contain. */
const MACHINE_PATH = /(?<![\w.:$}*-])\/(?:work|root|home|Users|workspaces?|builds)\/[\w.-]+/;

/** Delivered payloads are kept as they were delivered. */
const FIXTURES = /^test\/fixtures\//;

/**
 * Shipped files too long to be read in one go, and exceptions that are none any more. The length of functions is the
 * linter's business.
 */
export function fileLengthViolations(
  sources: readonly Source[],
  longFiles: Readonly<Record<string, string>> = LONG_FILES,
): Violation[] {
  const isLong = ({ text }: Source) => linesOf(text) > MAX_FILE_LINES;
  const needed = new Set(sources.filter(isLong).map(({ path }) => path));
  const needless = Object.keys(longFiles).filter((path) => !needed.has(path));
  return [
    ...needless.map((path) => at(path, 1, 'needs no exception of the length', 'Remove it from LONG_FILES')),
    ...sources
      .filter((source) => isLong(source) && !(source.path in longFiles))
      .map(({ path, text }) =>
        at(
          path,
          MAX_FILE_LINES + 1,
          `${linesOf(text)} lines, ${MAX_FILE_LINES} are allowed`,
          'Split it by what changes together',
        ),
      ),
  ];
}

function linesOf(text: string): number {
  return text.trimEnd().split('\n').length;
}

/** Paths that only one machine has. */
export function machinePathViolations(files: readonly TextFile[]): Violation[] {
  return files
    .filter(({ path }) => !FIXTURES.test(path))
    .flatMap(({ path, text }) =>
      text.split('\n').flatMap((line, index) => {
        const found = MACHINE_PATH.exec(line)?.[0];
        return found === undefined ? [] : [at(path, index + 1, `the machine path ${found}`, 'Use a relative path')];
      }),
    );
}

/**
 * Addresses in the lock file, which would send every user to the registry of the author, and packages for other
 * platforms that it lacks, as a registry without them leaves it: `npm ci` refuses such a file.
 */
export function lockFileViolations(lockFile: TextFile): Violation[] {
  const { path, text } = lockFile;
  const addresses = text
    .split('\n')
    .flatMap((line, index) =>
      /"resolved": "(?:https?|git|ssh)\b/.test(line)
        ? [
            at(
              path,
              index + 1,
              'an address of a registry',
              'Set omit-lockfile-registry-resolved=true and install again',
            ),
          ]
        : [],
    );
  const locked: Record<string, { optionalDependencies?: Record<string, string> }> = JSON.parse(text).packages;
  const names = new Set(Object.keys(locked).map((key) => key.split('node_modules/').at(-1)));
  const lacking = Object.values(locked)
    .flatMap(({ optionalDependencies }) => Object.keys(optionalDependencies ?? {}))
    .filter((name) => !names.has(name))
    .map((name) =>
      at(path, 1, `${name} is optional but not locked`, 'Add its version, os and cpu: npm ci needs every one'),
    );
  return [...addresses, ...lacking];
}

/** What a merge leaves where both sides changed the same lines. A row of equals signs alone may underline a heading. */
const CONFLICT_MARKER = /^(?:<{7}|\|{7}|>{7})(?: .*)?$/;

/** Lines that a merge left for a person to decide. */
export function conflictViolations(files: readonly TextFile[]): Violation[] {
  return files.flatMap(({ path, text }) =>
    text
      .split('\n')
      .flatMap((line, index) =>
        CONFLICT_MARKER.test(line)
          ? [at(path, index + 1, 'a conflict marker of a merge', 'Choose a side, or keep both, and remove the marker')]
          : [],
      ),
  );
}

/** Links of Markdown files that lead to no file, or to no heading of it. `exists` answers for files and folders. */
export function linkViolations(files: readonly TextFile[], exists: (path: string) => boolean): Violation[] {
  const headings = new Map(files.filter(isMarkdown).map(({ path, text }) => [path, anchorsOf(text)]));
  return files.filter(isMarkdown).flatMap(({ path, text }) =>
    proseLines(text).flatMap(({ line, number }) =>
      [...line.matchAll(/\]\(<?([^)\s>]+)>?(?:\s+"[^"]*")?\)|^\[[^\]]+\]:\s+(\S+)/g)].flatMap((match) => {
        const target = match[1] ?? match[2] ?? '';
        if (/^[a-z][a-z0-9+.-]*:/i.test(target)) return [];
        const [file = '', anchor] = target.split('#', 2);
        const linked =
          file === '' ? path : posix.join(posix.dirname(path), decodeURIComponent(file)).replace(/\/$/, '');
        if (!exists(linked)) return [at(path, number, `a link to ${target}, which does not exist`, 'Correct the link')];
        if (anchor === undefined || headings.get(linked)?.has(anchor) !== false) return [];
        return [at(path, number, `a link to ${target}, a heading that does not exist`, 'Correct the link')];
      }),
    ),
  );
}

/** Pages in `docs/` that no other page links to: a reader who starts at README.md never finds them. */
export function unlinkedViolations(files: readonly TextFile[]): Violation[] {
  const linked = new Set(
    files
      .filter(isMarkdown)
      .flatMap(({ path, text }) =>
        [...text.matchAll(/\]\(([^)\s#]+)/g)]
          .map((match) => posix.join(posix.dirname(path), match[1] ?? ''))
          .filter((target) => target !== path),
      ),
  );
  return files
    .filter(({ path }) => path.startsWith('docs/') && path.endsWith('.md') && !linked.has(path))
    .map(({ path }) => at(path, 1, 'no page links to this one', 'Link it from ARCHITECTURE.md or README.md'));
}

/** Error codes that no source raises, and codes that the page of errors does not explain. */
export function errorCodeViolations(
  codes: readonly string[],
  sources: readonly Source[],
  files: readonly TextFile[],
): Violation[] {
  const declared = 'packages/core/src/errors/error-codes.ts';
  const page = files.find(({ path }) => path === 'docs/errors.md');
  return codes.flatMap((code) => [
    ...(sources.some(({ path, text }) => path !== declared && text.includes(`'${code}'`))
      ? []
      : [
          at(
            declared,
            lineOf(sources, declared, `${code}:`),
            `nothing uses the code ${code}`,
            'Raise it, or remove it',
          ),
        ]),
    ...(page?.text.includes(`\`${code}\``) === true
      ? []
      : [at('docs/errors.md', 1, `the code ${code} is not explained`, 'Run: npm run docs')]),
  ]);
}

function isMarkdown({ path }: TextFile): boolean {
  return path.endsWith('.md');
}

/** Lines outside fenced code, with inline code blanked. */
function proseLines(text: string): { line: string; number: number }[] {
  let fence: string | null = null;
  return text.split('\n').flatMap((line, index) => {
    const mark = /^\s*(```|~~~)/.exec(line)?.[1];
    if (mark !== undefined && (fence === null || fence === mark)) {
      fence = fence === null ? mark : null;
      return [];
    }
    return fence === null ? [{ line: line.replaceAll(/`[^`]*`(?!\])/g, ''), number: index + 1 }] : [];
  });
}

/** Anchors as GitHub makes them: lower case, punctuation dropped, spaces to hyphens, repeats numbered from 1. */
function anchorsOf(text: string): Set<string> {
  const anchors = new Set<string>();
  const seen = new Map<string, number>();
  let fenced = false;
  for (const line of text.split('\n')) {
    if (/^\s*(?:```|~~~)/.test(line)) fenced = !fenced;
    const heading = fenced ? undefined : /^#{1,6}\s+(.+?)\s*#*$/.exec(line)?.[1];
    if (heading === undefined) continue;
    const plain = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
    const anchor = plain.replaceAll(/[^\p{L}\p{N}\s_-]/gu, '').replaceAll(' ', '-');
    const repeats = seen.get(anchor) ?? 0;
    seen.set(anchor, repeats + 1);
    anchors.add(repeats === 0 ? anchor : `${anchor}-${repeats}`);
  }
  return anchors;
}

function lineOf(sources: readonly Source[], path: string, text: string): number {
  const source = sources.find((candidate) => candidate.path === path);
  return source === undefined ? 1 : source.lineAt(Math.max(0, source.text.indexOf(text)));
}

function at(file: string, line: number, problem: string, remedy: string): Violation {
  return { file, line, problem, remedy };
}

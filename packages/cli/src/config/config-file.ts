import { access, readFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { EdrlakeError } from '@edrlake/core';
import type { SubscriptionConfig } from './subscription-schema.ts';
import { refuseUnreadableText } from './text-encoding.ts';

/** A configuration file that was read and checked. */
export interface ConfigFile {
  readonly path: string;
  /** By camelCase flag name; every key known and of the right kind. */
  readonly values: Readonly<Record<string, unknown>>;
  /** In the order of the file; empty where it names none. */
  readonly subscriptions: readonly SubscriptionConfig[];
}

const EXTENSIONS = ['ts', 'mts', 'js', 'mjs', 'cjs', 'json', 'jsonc', 'yaml', 'yml'] as const;

/**
 * Reads `edrlake.config.*` of the directory, or the file given. null when nothing was given and none is there.
 * Nothing else is read: no `.env`, no rc files, no `package.json`, nothing from the network.
 * @throws {EdrlakeError} `CONFIG_INVALID` naming the file and the key.
 */
export async function readConfigFile(workingDirectory: string, given: string | null): Promise<ConfigFile | null> {
  const path = given === null ? await findConfigFile(workingDirectory) : resolve(workingDirectory, given);
  if (path === null) return null;
  if (!(await exists(path))) {
    throw new EdrlakeError('CONFIG_INVALID', `--config: there is no file ${path}`, {
      hint: 'Correct the path, or write a new file with: edrlake init',
    });
  }
  const bytes = await readFile(path);
  refuseUnreadableText(bytes, path);
  if (path.endsWith('.jsonc')) refuseBrokenJsonc(bytes.toString(), path);
  const content = await loadContent(path);
  // Loaded only here, because both take longer to load than most commands take to run.
  const { checkConfig } = await import('./config-schema.ts');
  return { path, ...checkConfig(content, path) };
}

async function findConfigFile(directory: string): Promise<string | null> {
  const found: string[] = [];
  for (const extension of EXTENSIONS) {
    const path = join(directory, `edrlake.config.${extension}`);
    if (await exists(path)) found.push(path);
  }
  if (found.length > 1) {
    const names = found.map((path) => basename(path)).join(' and ');
    throw new EdrlakeError('CONFIG_INVALID', `expected one configuration file in ${directory}, found ${names}`, {
      hint: 'Remove all but one, or choose with --config FILE.',
    });
  }
  return found[0] ?? null;
}

async function loadContent(path: string): Promise<unknown> {
  const { loadConfig } = await import('c12');
  try {
    const loaded = await loadConfig({
      name: 'edrlake',
      cwd: dirname(path),
      configFile: path,
      configFileRequired: true,
      rcFile: false,
      globalRc: false,
      dotenv: false,
      packageJson: false,
      giget: false,
      extend: false,
      envName: false,
    });
    return loaded.config;
  } catch (error) {
    throw unreadable(path, error);
  }
}

function unreadable(path: string, error: unknown): EdrlakeError {
  const message = error instanceof Error ? error.message : String(error);
  // JSON.parse quotes what it has read.
  const reason = message.replace(/, (\.\.\.)?".*is not valid JSON$/s, ' is not valid JSON').split('\n')[0] ?? '';
  return new EdrlakeError('CONFIG_INVALID', `${path} cannot be read: ${reason}`, {
    cause: error,
    hint: 'Correct the file; edrlake init --force writes a fresh one.',
  });
}

/** The loader of this format reads as much as it understands and leaves out the rest. */
function refuseBrokenJsonc(text: string, path: string): void {
  const tokens = /("(?:\\.|[^"\\])*")|\/\/[^\r\n]*|\/\*.*?\*\//gs;
  const plain = text.replace(/^\ufeff/, '').replace(tokens, (_, string: string | undefined) => string ?? ' ');
  const strict = plain.replace(/("(?:\\.|[^"\\])*")|,(?=\s*[\]}])/gs, (_, string: string | undefined) => string ?? ' ');
  try {
    if (strict.trim() !== '') JSON.parse(strict);
  } catch (error) {
    throw unreadable(path, error);
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { EdrlakeError, errnoOf, nounText, writeText } from '@edrlake/core';
import { type HuntOptions, type HuntReport, writeMadeAside, writeOutputFile } from '@edrlake/lake';
import { type Indicator, readIndicators, refuseFaults } from '@edrlake/lake/indicators';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { LAKE, OUTPUT } from '../args/option-groups.ts';
import { queryFormatOf } from '../args/options.ts';
import { huntExitCode, huntText } from '../investigate/hunt-text.ts';
import { lineWidth, type ProcessContext, writeMessage } from '../process/process-context.ts';
import { programName, withProgramName } from '../process/program-name.ts';
import { type HuntFormat, writeHunt } from '../query/hunt-output.ts';
import { outputOf, refuseBinaryAtTerminal } from '../query/query-output.ts';
import { readAllText } from '../query/read-text.ts';
import { optionalRange } from '../session/connection-settings.ts';
import { lakeFlagsOf } from '../session/lake-access.ts';
import { withLakeToRead } from '../session/with-lake.ts';

/** `edrlake hunt` */
export const command = defineCommand({
  command: 'hunt [values..]',
  describe: 'Look for hashes, addresses, names and paths in the lake',
  details: [
    'Values are recognised by their form: MD5, SHA-256, IPv4 and IPv6 addresses and CIDR blocks, domains with all names below them, URLs by their host, file names, paths with * and ?, hosts and agent ids; hxxp:// and [.] are understood. A word before a value decides it: host:WS-001, file:evil.com, event:ID, cert:ID.',
    '--iocs reads text with one a line, CSV, a STIX 2 bundle, an export of MISP, OpenIOC or a JSON list.',
    'Where nothing is found, the answer says what that means: not seen in 412 of 412 proven days, or which parts of the range are not proven. Asks the lake alone.',
    '--standing hunts the lists in the folder hunts (or --hunts DIR) from now on: the past once, then what each commit adds. It shows the lists and the matches that it has not shown before; all are in the table hunt_matches. A list that is taken out of the folder is no longer hunted, and its matches go with it.',
    'Exit codes: 0 nothing found in a range that is wholly proven, 5 found, 4 nothing found, but the range is not wholly proven, files are gone, rejects may hold a value, or one cannot be searched for. With --standing: 5 new matches, 2 a list has something that is no indicator, 4 files are gone or damaged.',
  ],
  positionals: { values: { describe: 'Values to look for' } },
  flags: ['iocs', 'lenient', 'standing', 'hunts', 'from', 'to', 'format', 'output', ...LAKE, ...OUTPUT],
  flagTexts: {
    from: { describe: 'First UTC day, or ISO instant', defaultText: 'all' },
    to: { describe: 'Last UTC day, or ISO instant (excluded)', defaultText: 'all' },
    format: {
      describe: 'table, csv, json, ndjson, parquet',
      defaultText: 'table',
      choices: ['table', 'csv', 'json', 'ndjson', 'parquet'],
    },
  },
  examples: [
    { command: 'edrlake hunt --iocs bundle.json --from 2026-11-01 --to 2026-11-30', purpose: 'a list' },
    { command: 'edrlake hunt --standing', purpose: 'the lists in ./hunts, from now on' },
    { command: 'edrlake hunt "path:*\\\\temp\\\\*.exe" --format csv > rows.csv', purpose: 'rows for a spreadsheet' },
  ],
  run,
});

/** Looks for indicators, and says what an empty answer means. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  const { stdout, stderr, env, signal, workingDirectory } = context;
  if (values.standing) return (await import('../query/standing-hunt.ts')).runStanding(input, context);
  const format = formatOf(input);
  const range = optionalRange(values);
  const file = values.output === null ? null : resolve(workingDirectory, values.output);
  const stream = outputOf(file, context);
  if (stream !== null) refuseBinaryAtTerminal(format, stream);
  const indicators = await indicatorsOf(input, context);
  const options: HuntOptions = { signal, ...(range !== null && { range }) };
  const lakeFlags = lakeFlagsOf(input);
  const report = await withLakeToRead(values, context, async (lake) => {
    const answer = async (more: HuntOptions) => lake.hunt(indicators, { ...options, ...more });
    if (format === 'table' && stream !== null) {
      let text = '';
      const onMatches: HuntOptions['onMatches'] = async (matches, found) => {
        text = await huntText(found, matches, {
          lakeFlags,
          width: stream.isTTY === false ? null : lineWidth(stream, env),
        });
      };
      const found = await answer({ onMatches });
      if (stream === stdout) await writeMessage(context, text);
      else await writeText(stream, text);
      return found;
    }
    let found: HuntReport | null = null;
    const write = (out: NodeJS.WritableStream) => async () => {
      found = await answer({ onMatches: (matches, known) => writeHunt(out, format, matches, known) });
    };
    if (format === 'parquet') {
      const make = async (path: string) => {
        found = await answer({ matchesFile: path });
      };
      if (stream === null && file !== null) await make(file);
      else if (stream !== null) await writeMadeAside(stream, make);
    } else if (stream === null && file !== null) {
      await writeOutputFile(file, signal, (out) => write(out)());
    } else if (stream !== null) {
      await write(stream)();
    }
    if (found === null) throw new EdrlakeError('BUG', 'expected the hunt to have answered');
    return found as HuntReport;
  });
  if (format !== 'table' && format !== 'json') {
    const none = async function* () {};
    const text = await huntText(report, none(), { lakeFlags, width: lineWidth(stderr, env), onlySentences: true });
    stderr.write(withProgramName(text, programName(env)));
  }
  return huntExitCode(report);
}

function formatOf({ values, typed }: CommandInput): HuntFormat {
  const format = values.json && !typed.has('format') ? 'json' : queryFormatOf(values);
  if (format !== 'arrow') return format;
  throw new EdrlakeError('USAGE', 'edrlake hunt: expected --format table, csv, json, ndjson or parquet, found arrow');
}

/** The values of the command line, and those of the list. */
async function indicatorsOf({ values, words }: CommandInput, context: ProcessContext): Promise<readonly Indicator[]> {
  const lists = [
    ...(words.length > 0 ? [{ name: 'the command line', text: words.join('\n') }] : []),
    ...(values.iocs === null ? [] : [{ name: nameOf(values.iocs), text: await listText(values.iocs, context) }]),
  ];
  if (lists.length === 0) {
    throw new EdrlakeError('USAGE', 'edrlake hunt: expected values or --iocs FILE, found neither', {
      hint: 'For example: edrlake hunt 44d88612fea8a8f36de82e1278abb02f',
    });
  }
  const indicators: Indicator[] = [];
  for (const { name, text } of lists) {
    const list = readIndicators(text);
    if (!values.lenient) refuseFaults(name, list.faults);
    else if (list.faults.length > 0) {
      const places = list.faults.map(({ place }) => place).slice(0, 10);
      const more = list.faults.length > places.length ? ', …' : '';
      context.stderr.write(
        `edrlake: ${name}: left out ${nounText(list.faults.length, 'value')} (${places.join(', ')}${more})\n`,
      );
    }
    indicators.push(...list.indicators);
  }
  if (indicators.length > 0) return indicators;
  throw new EdrlakeError('INDICATORS_INVALID', 'edrlake hunt: expected at least one indicator, found none', {
    hint: 'Give a hash, an address, a domain, a host, a file or a path; or a file of them with --iocs.',
  });
}

function nameOf(file: string): string {
  return file === '-' ? 'standard input' : file;
}

async function listText(file: string, { stdin, workingDirectory }: ProcessContext): Promise<string> {
  if (file === '-') return readAllText(stdin, 'a list to hunt');
  try {
    return await readFile(resolve(workingDirectory, file), 'utf8');
  } catch (thrown) {
    throw new EdrlakeError('USAGE', `--iocs ${file} cannot be read (${errnoOf(thrown)})`, {
      cause: thrown,
      hint: 'Give a file that this user can read, or - for standard input.',
    });
  }
}

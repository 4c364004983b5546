import {
  didYouMean,
  EdrlakeError,
  isoInstant,
  nounText,
  parseRange,
  rangeFlagsText,
  type TimeRange,
  untilAborted,
} from '@edrlake/core';
import { customerOf, type Fault, type Simulator, startSimulator } from '@edrlake/simulator';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { FAULT_FORMS, FAULT_GRAMMAR, parseFault } from '../args/fault-text.ts';
import { OUTPUT } from '../args/option-groups.ts';
import type { FlagValues } from '../args/options.ts';
import { type ProcessContext, writeMessage } from '../process/process-context.ts';
import { optionalRange } from '../session/connection-settings.ts';
import { writeJson } from '../text/json-output.ts';
import { pairsText } from '../text/table-text.ts';

/** A week in which nothing else happens: the same for everyone, so that numbers can be compared. */
const DEFAULT_RANGE = parseRange('2020-08-17', '2020-08-23');
/** Anyone may know it: the gateway listens on this machine only and holds nothing but made-up events. */
const CREDENTIALS = { username: 'demo', password: 'demo' };

/** `edrlake simulate` */
export const command = defineCommand({
  command: 'simulate',
  describe: 'Run a simulated gateway on this machine',
  details: [
    'Serves made-up events on 127.0.0.1 until Ctrl-C, behaves like the API and, on request, misbehaves like it. Each seed is a customer of its own.',
  ],
  flags: [
    'port',
    'seed',
    'events',
    'busy-minutes',
    'busy-second',
    'max-page-size',
    'clock-skew',
    'fault',
    'from',
    'to',
    'rate-limit',
    ...OUTPUT,
  ],
  flagTexts: {
    from: { describe: 'First UTC day of the events', defaultText: '2020-08-17' },
    to: { describe: 'Last UTC day of the events', defaultText: '2020-08-23' },
    port: { describe: 'Port on 127.0.0.1; 0 takes a free one', defaultText: '0' },
    'rate-limit': { describe: 'Requests it allows, or none', defaultText: '1000000/3600' },
  },
  tables: [{ title: 'Faults', rows: FAULT_FORMS, text: FAULT_GRAMMAR }],
  examples: [
    { command: 'edrlake simulate --port 8080 --events 300000', purpose: 'with the default week' },
    { command: 'edrlake simulate --fault status:500@3 --fault reset@10', purpose: 'with two faults' },
  ],
  run,
});

/**
 * Serves simulated events until it is stopped. With `--json`, or on a pipe, the first line is a JSON document with
 * `url`.
 */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  const { stdout, signal } = context;
  const range = optionalRange(values) ?? DEFAULT_RANGE;
  const faults = values.fault.map((text) => readFault(text, range));
  const simulator = await startSimulator(simulatorOptions(values, range));
  simulator.faults.push(...faults);
  try {
    if (values.json || stdout.isTTY !== true) await writeJson(stdout, startDocument(simulator, values, range));
    else await writeMessage(context, startText(simulator, values, range));
    await untilAborted(signal);
  } finally {
    await simulator.close();
  }
  // Being stopped is how it ends.
  return 0;
}

function simulatorOptions(values: FlagValues, range: TimeRange) {
  const rateLimit = values['rate-limit'];
  const clockSkew = values['clock-skew'];
  return {
    events: values.events,
    range,
    seed: values.seed,
    customerId: customerOf(values.seed),
    port: values.port ?? 0,
    credentials: CREDENTIALS,
    pageSizeMax: values['max-page-size'],
    clockSkewMs: clockSkew === 'none' ? null : (clockSkew ?? 0),
    profile: { busyMinutes: values['busy-minutes'], busySecondEvents: values['busy-second'] },
    ...(rateLimit === null ? {} : { rateLimit: rateLimit === 'none' ? null : rateLimit }),
  };
}

function readFault(text: string, range: TimeRange): Fault {
  const fault = parseFault(text, range);
  if (fault !== null) return fault;
  const kinds = FAULT_FORMS.map(([form]) => form.split(':')[0] ?? form);
  const near = didYouMean(text.replace(/^[a-z]+\//, '').split(/[:@]/)[0] ?? text, kinds);
  const form = FAULT_FORMS.find(([candidate]) => candidate.split(':')[0] === near)?.[0];
  throw new EdrlakeError('USAGE', `--fault: expected a fault such as status:500@3 or reset@10, found "${text}"`, {
    hint: `${form === undefined ? '' : `Did you mean ${form}? `}See: edrlake simulate --help`,
  });
}

function startDocument(simulator: Simulator, values: FlagValues, range: TimeRange) {
  return {
    url: simulator.url,
    ...CREDENTIALS,
    customerId: customerOf(values.seed),
    events: values.events,
    seed: values.seed,
    from: isoInstant(range.startMs),
    to: isoInstant(range.endMs),
  };
}

function startText(simulator: Simulator, values: FlagValues, range: TimeRange): string {
  const pairs = [
    ['URL', simulator.url],
    ['Username', CREDENTIALS.username],
    ['Password', CREDENTIALS.password],
    ['Customer', customerOf(values.seed)],
    ['Events', `${nounText(values.events, 'event')}, seed ${values.seed}`],
    ...(values.fault.length > 0 ? [['Faults', values.fault.join(' ')] as const] : []),
  ] as const;
  const lines = [
    'A simulated gateway is listening. Ctrl-C stops it.',
    '',
    pairsText(pairs.map(([name = '', value = '']) => [name, value] as const)),
    '',
    'In another terminal:',
    `  export EDRLAKE_BASE_URL=${simulator.url}`,
    `  export EDRLAKE_USERNAME=${CREDENTIALS.username} EDRLAKE_PASSWORD=${CREDENTIALS.password}`,
    `  edrlake backfill ${rangeFlagsText(range)}`,
    '',
  ];
  return lines.join('\n');
}

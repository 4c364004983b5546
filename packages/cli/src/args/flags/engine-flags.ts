import { choiceFlag, optionalFlag, readText, switchFlag, valueFlag, wholeNumber } from './flag-kinds.ts';

const ENGINES = ['local', 'temporal'] as const;

const file = { group: 'Engine', valueName: 'FILE', expected: 'a file name', read: readText } as const;

/** What runs pipelines: this process, or workers of a Temporal server, and where that is. */
export const ENGINE_FLAGS = {
  engine: choiceFlag({
    group: 'Engine',
    valueName: 'NAME',
    describe: 'local, or temporal: on workers',
    choices: ENGINES,
    byDefault: ENGINES[0],
  }),
  address: valueFlag({
    group: 'Engine',
    valueName: 'HOST:PORT',
    describe: 'Temporal server',
    expected: 'a host and a port such as localhost:7233',
    read: (text) => (/^\S+:\d{1,5}$/.test(text) ? text : null),
    byDefault: 'localhost:7233',
  }),
  namespace: valueFlag({
    group: 'Engine',
    valueName: 'NAME',
    describe: 'Namespace there',
    expected: 'the name of a namespace',
    read: readText,
    byDefault: 'default',
  }),
  'task-queue': valueFlag({
    group: 'Engine',
    valueName: 'NAME',
    describe: 'Task queue of the workers',
    expected: 'the name of a task queue',
    read: readText,
    byDefault: 'edrlake',
  }),
  tls: switchFlag({ group: 'Engine', describe: 'Encrypt the connection to it' }),
  'tls-ca': optionalFlag({ ...file, describe: 'Certificates (PEM) that sign its own, for --tls' }),
  'tls-cert': optionalFlag({ ...file, describe: 'Certificate (PEM) of this client, for --tls' }),
  'tls-key': optionalFlag({ ...file, describe: 'Key (PEM) of that certificate' }),
  slots: valueFlag({
    group: 'Engine',
    valueName: 'N',
    describe: 'Tasks that this worker does at once',
    expected: 'a whole number from 1 to 100',
    read: wholeNumber(1, 100),
    byDefault: 2,
  }),
} as const;

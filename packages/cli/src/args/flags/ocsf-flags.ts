import { OCSF_LAYOUTS, OCSF_VERSIONS } from '@edrlake/ocsf/names';
import { choiceFlag, optionalFlag, readText } from './flag-kinds.ts';

/** Flags of `publish ocsf` alone. */
export const OCSF_FLAGS = {
  until: optionalFlag({
    group: 'Range',
    valueName: 'DATE',
    describe: 'Last UTC day',
    expected: 'a day (2020-08-17) or an ISO instant (2020-08-17T04:00:00Z)',
    read: readText,
  }),
  'ocsf-version': choiceFlag({
    group: 'Run',
    valueName: 'VERSION',
    describe: 'Version of OCSF: 1.3.0 or 1.8.0',
    choices: OCSF_VERSIONS,
    byDefault: '1.3.0',
  }),
  layout: choiceFlag({
    group: 'Run',
    valueName: 'NAME',
    describe: 'Folders: plain or security-lake',
    choices: OCSF_LAYOUTS,
    byDefault: 'plain',
  }),
  region: optionalFlag({
    group: 'Run',
    valueName: 'NAME',
    describe: 'Region in the folders of Security Lake',
    expected: 'a region such as eu-central-1',
    read: (text) => (/^[a-z0-9-]+$/.test(text) ? text : null),
    defaultText: 'AWS_REGION',
  }),
  'account-id': optionalFlag({
    group: 'Run',
    valueName: 'ID',
    describe: 'Account in the folders, for all events',
    expected: 'letters, digits, _ and -',
    read: (text) => (/^[A-Za-z0-9_-]+$/.test(text) ? text : null),
    defaultText: 'external_<customer>',
  }),
};

import { EdrlakeError } from '@edrlake/core';
import { type Facts, type OcsfVersion, type Shape, shapeOf } from './facts.ts';
import { OBJECTS } from './objects.ts';

/** Facts of a class. */
export interface ClassFacts extends Facts {
  /** As the schema names it. */
  readonly name: string;
  readonly uid: number;
  readonly caption: string;
  readonly categoryUid: number;
  readonly category: string;
  /** The extension that it belongs to; null for the core schema. */
  readonly extension: { readonly name: string; readonly uid: string } | null;
}

const FRAME = [
  'time! timestamp_t',
  'class_uid! integer_t',
  'class_name string_t',
  'category_uid! integer_t',
  'category_name string_t',
  'type_uid! long_t',
  'type_name string_t',
  'severity_id! integer_t 0 Unknown, 1 Informational, 2 Low, 3 Medium, 4 High, 5 Critical, 6 Fatal, 99 Other',
  'severity string_t',
  'activity_name string_t',
  'metadata! metadata',
  'enrichments enrichment[]',
];
const RISK = ['risk_score integer_t =1.8.0 @security_control'];
const SYSTEM = [...FRAME, ...RISK, 'actor! actor', 'device! device'];
/** Last, so that it is the last column of the files. */
const REST = ['unmapped object'];

const WINDOWS = { name: 'win', uid: '2' };

/** The classes that events of any dataset are published as. */
export const CLASSES: readonly ClassFacts[] = [
  {
    ...classOf('file_activity', 1001, 'File System Activity', 1, 'System Activity'),
    attributes: [
      ...SYSTEM,
      'activity_id! integer_t 0 Unknown, 1 Create, 2 Read, 3 Update, 4 Delete, 5 Rename, 6 Set Attributes, 7 Set Security, 8 Get Attributes, 9 Get Security, 10 Encrypt, 11 Decrypt, 12 Mount, 13 Unmount, 14 Open, 99 Other',
      'file! file',
      ...REST,
    ],
  },
  {
    ...classOf('kernel_activity', 1003, 'Kernel Activity', 1, 'System Activity'),
    attributes: [
      ...SYSTEM,
      'activity_id! integer_t 0 Unknown, 1 Create, 2 Read, 3 Delete, 4 Invoke, 99 Other',
      'kernel! kernel',
      ...REST,
    ],
  },
  {
    ...classOf('process_activity', 1007, 'Process Activity', 1, 'System Activity'),
    attributes: [
      ...SYSTEM,
      'activity_id! integer_t 0 Unknown, 1 Launch, 2 Terminate, 3 Open, 4 Inject, 5 Set User ID, 99 Other',
      'process! process',
      ...REST,
    ],
  },
  {
    ...classOf('network_activity', 4001, 'Network Activity', 4, 'Network Activity'),
    attributes: [
      ...FRAME,
      ...RISK,
      'activity_id! integer_t 0 Unknown, 1 Open, 2 Close, 3 Reset, 4 Fail, 5 Refuse, 6 Traffic, 7 Listen, 99 Other',
      'actor actor @host',
      'device device @host',
      'src_endpoint network_endpoint',
      'dst_endpoint!1.3.0 network_endpoint',
      'connection_info network_connection_info',
      ...REST,
    ],
    atLeastOne: { '1.3.0': '', '1.8.0': 'dst_endpoint src_endpoint' },
  },
  {
    ...classOf('win/registry_key_activity', 201001, 'Registry Key Activity', 1, 'System Activity'),
    extension: WINDOWS,
    attributes: [
      ...SYSTEM,
      'activity_id! integer_t 0 Unknown, 1 Create, 2 Read, 3 Modify, 4 Delete, 5 Rename, 6 Set Security, 7 Restore, 8 Import, 9 Export, 99 Other',
      'reg_key! win/reg_key',
      ...REST,
    ],
  },
  {
    ...classOf('win/registry_value_activity', 201002, 'Registry Value Activity', 1, 'System Activity'),
    extension: WINDOWS,
    attributes: [
      ...SYSTEM,
      'activity_id! integer_t 0 Unknown, 1 Get, 2 Set, 3 Modify, 4 Delete, 99 Other',
      'reg_value! win/reg_value',
      ...REST,
    ],
  },
  {
    ...classOf('base_event', 0, 'Base Event', 0, 'Uncategorized'),
    attributes: [
      ...FRAME,
      ...RISK,
      'activity_id! integer_t 0 Unknown, 99 Other',
      'actor actor =1.8.0 @host',
      'device device =1.8.0 @host',
      ...REST,
    ],
  },
  {
    ...classOf('detection_finding', 2004, 'Detection Finding', 2, 'Findings'),
    attributes: [
      ...FRAME,
      'activity_id! integer_t 0 Unknown, 1 Create, 2 Update, 3 Close, 99 Other',
      'finding_info! finding_info',
      'evidences evidences[]',
      'action_id!1.3.0 integer_t =1.3.0 @security_control 0 Unknown, 1 Allowed, 2 Denied, 99 Other',
      'action string_t =1.3.0 @security_control',
      'actor actor @host',
      'device device =1.3.0 @host',
      'device device =1.8.0',
      'malware malware[] =1.3.0 @security_control',
      'malware malware[] =1.8.0',
      'risk_score integer_t',
      ...REST,
    ],
  },
];

function classOf(name: string, uid: number, caption: string, categoryUid: number, category: string) {
  return { name, uid, caption, categoryUid, category, extension: null };
}

/** @throws {EdrlakeError} `BUG` for a class that is not among the facts */
export function classNamed(name: string): ClassFacts {
  const found = CLASSES.find((facts) => facts.name === name);
  if (found === undefined) throw new EdrlakeError('BUG', `there are no facts of the class ${name}`);
  return found;
}

/** @throws {EdrlakeError} `BUG` for an object that is not among the facts */
export function objectShape(name: string, version: OcsfVersion): Shape {
  const facts = OBJECTS[name];
  if (facts === undefined) throw new EdrlakeError('BUG', `there are no facts of the object ${name}`);
  return shapeOf(facts, version);
}

/** The last part of the name, `registry_key_activity` for `win/registry_key_activity`. */
export function plainName({ name }: Pick<ClassFacts, 'name'>): string {
  return name.slice(name.indexOf('/') + 1);
}

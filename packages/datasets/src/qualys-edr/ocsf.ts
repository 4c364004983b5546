import {
  columns,
  constants,
  type OcsfChild,
  type OcsfClassMapping,
  type OcsfFindings,
  type OcsfMapping,
  type OcsfRow,
} from '../define/ocsf-mapping.ts';

/** The name without its directory, for objects that require one and get a path. */
function nameIn(path: string): string {
  return `nullif(regexp_extract(${path}, '[^/\\\\]*$'), '')`;
}

/** Maliciousness is delivered from 0 to 10; higher is worse. */
const SEVERITIES = [
  [0, 1],
  [1, 2],
  [3, 3],
  [6, 4],
  [9, 5],
] as const;

const METADATA: readonly OcsfRow[] = [
  ...constants({
    'metadata.product.name': 'Endpoint Detection and Response',
    'metadata.product.vendor_name': 'Qualys',
  }),
  ...columns({ 'metadata.tenant_uid': 'customer_id', 'metadata.processed_time': 'processed_time' }),
];

const EVENT: readonly OcsfRow[] = [
  ...columns({
    time: 'event_time',
    'metadata.uid': 'event_id',
    'metadata.event_code': 'event_type',
    'metadata.log_provider': 'event_source',
    risk_score: 'score',
  }),
  ...METADATA,
  ['severity_id', { bands: 'score', from: SEVERITIES }],
];

const DEVICE: readonly OcsfRow[] = [
  ...columns({
    'device.uid': 'agent_id',
    'device.hostname': 'host_name',
    'device.name': 'netbios_name',
    'device.os.name': 'os_name',
    'device.owner.name': 'last_logged_on_user',
  }),
  ['device.os.type_id', { oneOf: 'platform', ids: { WINDOWS: 100, LINUX: 200, MACOS: 300, MAC: 300, AIX: 401 } }],
  [
    'device.type_id',
    {
      oneOf: 'asset_type',
      ids: { SERVER: 1, DESKTOP: 2, WORKSTATION: 2, LAPTOP: 3, VIRTUAL: 6, 'VIRTUAL MACHINE': 6 },
    },
  ],
  ['device.agent_list[].uid', { computed: 'agent_id' }],
  ...constants({ 'device.agent_list[].type_id': 1, 'device.agent_list[].vendor_name': 'Qualys' }),
];

const ACTOR: readonly OcsfRow[] = [
  ...columns({
    'actor.process.pid': 'actor_process_id',
    'actor.process.uid': 'actor_event_id',
    'actor.process.name': 'actor_process_name',
    'actor.process.cmd_line': 'actor_arguments',
    'actor.process.created_time': 'actor_created_time',
    'actor.process.user.name': 'actor_user_name',
    'actor.process.user.uid': 'actor_user_id',
    'actor.process.file.path': 'actor_image_path',
    'actor.process.parent_process.pid': 'actor_parent_process_id',
  }),
  ['actor.process.file.name', { computed: nameIn('actor_image_path') }],
  ['actor.process.file.type_id', { constant: 1 }],
];

/** System activities require an actor, and the first version of the API delivers none. */
const UNKNOWN_ACTOR: OcsfRow = [
  'actor.app_name',
  { computed: `CASE WHEN try_cast(actor_process_id AS INTEGER) IS NULL AND actor_event_id IS NULL THEN 'Unknown' END` },
];

const FILE: readonly OcsfRow[] = [
  ...columns({
    'file.name': 'file_name',
    'file.path': 'file_full_path',
    'file.parent_folder': 'file_path',
    'file.ext': 'file_extension',
    'file.size': 'file_size',
    'file.hashes[algorithm_id=1].value': 'file_md5',
    'file.hashes[algorithm_id=3].value': 'file_sha256',
    'file.created_time': 'file_created_time',
    'file.accessed_time': 'file_accessed_time',
    'file.modified_time': 'file_modified_time',
    'file.company_name': 'file_company',
    'file.desc': 'file_description',
    'file.version': 'file_version',
    'file.owner.name': 'file_owner',
    'file.product.name': 'file_product',
    'file.security_descriptor': 'file_security_attributes',
    'file.volume': 'file_device_letter',
  }),
  ['file.product.vendor_name', { computed: 'file_company' }],
  ['file.type_id', { oneOf: 'file_type', ids: { FILE: 1, DIRECTORY: 2, FOLDER: 2 } }],
];

const PROCESS: readonly OcsfRow[] = [
  ...columns({
    'process.pid': 'process_id',
    'process.uid': 'process_event_id',
    'process.name': 'process_name',
    'process.cmd_line': 'process_arguments',
    'process.user.name': 'process_user_name',
    'process.user.uid': 'process_sid',
    'process.parent_process.pid': 'process_parent_id',
    'process.file.path': 'process_full_path',
    'process.file.hashes[algorithm_id=1].value': 'process_file_md5',
    'process.file.hashes[algorithm_id=3].value': 'process_file_sha256',
  }),
  ['process.file.name', { computed: nameIn('process_full_path') }],
  ['process.file.type_id', { constant: 1 }],
  [
    'process.integrity_id',
    { oneOf: 'process_integrity_level', ids: { Untrusted: 1, Low: 2, Medium: 3, High: 4, System: 5, Protected: 6 } },
  ],
];

const NETWORK: readonly OcsfRow[] = [
  ...columns({
    'src_endpoint.ip': 'network_local_ip',
    'dst_endpoint.ip': 'network_remote_ip',
    'dst_endpoint.hostname': 'network_remote_dns',
  }),
  ['dst_endpoint.port', { computed: `try_cast(network ->> '$.remotePort' AS INTEGER)` }],
  ['src_endpoint.port', { computed: `try_cast(network ->> '$.localPort' AS INTEGER)` }],
  ['connection_info.protocol_name', { computed: `lower(network ->> '$.protocol')` }],
  ['connection_info.direction_id', { constant: 0 }],
];

/** What is inside these sections is not documented; the names are those that were seen. */
const REGISTRY_KEY = `coalesce(registry ->> '$.key', registry ->> '$.keyName', registry ->> '$.path')`;
const REGISTRY_VALUE = `coalesce(registry ->> '$.value', registry ->> '$.valueName')`;
const MUTEX_NAME = `coalesce(mutex ->> '$.name', mutex ->> '$.mutexName', mutex ->> '$.handleName')`;

const CHILDREN: readonly OcsfChild[] = [
  {
    table: 'interfaces',
    path: 'device.network_interfaces',
    rows: [...columns({ ip: 'ip_address', mac: 'mac_address' }), ['type_id', { constant: 0 }]],
    fromEvent: ['agent_id'],
  },
  {
    table: 'asset_tags',
    path: 'device.groups',
    rows: [...columns({ name: 'tag_name', uid: 'tag_uuid' }), ['type', { constant: 'asset tag' }]],
  },
  {
    table: 'indicators',
    path: 'enrichments',
    rows: [
      ...columns({ value: 'sha256', type: 'indicator_set', 'reputation.base_score': 'score' }),
      ['reputation.score', { column: 'verdict' }],
      ['reputation.score_id', { constant: 0 }],
      ...constants({ name: 'file.hashes', provider: 'Qualys', 'reputation.provider': 'Qualys' }),
      [
        'data',
        {
          computed: `to_json({sha256: sha256, score: score, verdict: verdict, family_name: family_name, threat_name: threat_name, category: category})`,
        },
      ],
    ],
  },
];

const CERTIFICATES = (path: string): OcsfChild => ({
  table: 'certificates',
  path,
  rows: [
    ...columns({
      'certificate.issuer': 'issuer',
      'certificate.subject': 'subject',
      'certificate.uid': 'certificate_hash',
      'certificate.created_time': 'signed_time',
      'certificate.expiration_time': 'expiry_time',
    }),
    // The serial number is required, and not delivered.
    ['certificate.serial_number', { constant: 'Unknown' }],
    ['certificate.fingerprints[algorithm_id=99].value', { computed: 'certificate_hash' }],
    ['certificate.fingerprints[algorithm_id=99].algorithm', { constant: '64-bit hash' }],
    ['algorithm_id', { constant: 0 }],
    ['state_id', { oneOf: 'is_valid', ids: { true: 1, false: 99 } }],
    ['', { presenceSays: 'is_signed' }],
  ],
});

const COMMON: readonly OcsfRow[] = [...EVENT, ...DEVICE, ...ACTOR];

/** A class with what all events have, and an action for each of its activities. */
function activity(
  className: string,
  ids: Readonly<Record<string, number>>,
  rows: readonly OcsfRow[],
  children: readonly OcsfChild[] = [],
): OcsfClassMapping {
  return {
    className,
    rows: [...COMMON, ['activity_id', { oneOf: 'action', ids }], ...rows],
    children: [...CHILDREN, ...children],
  };
}

const UNCLASSIFIED = activity('base_event', {}, []);

const REGISTRY_KEY_ACTIVITY = activity(
  'win/registry_key_activity',
  { CREATED: 1, READ: 2, UPDATED: 3, MODIFIED: 3, DELETED: 4, RENAMED: 5 },
  [UNKNOWN_ACTOR, ['reg_key.path', { computed: REGISTRY_KEY }]],
);

const REGISTRY_VALUE_ACTIVITY = activity(
  'win/registry_value_activity',
  { READ: 1, CREATED: 2, UPDATED: 3, MODIFIED: 3, DELETED: 4 },
  [
    UNKNOWN_ACTOR,
    ['reg_value.path', { computed: REGISTRY_KEY }],
    ['reg_value.name', { computed: REGISTRY_VALUE }],
    ['reg_value.data', { computed: `registry -> '$.data'` }],
  ],
);

/** The same for the same indicator, however often it is published. */
const FINDING_UID = `concat_ws('#', event_id, "indicators.indicator_set", "indicators.position")`;

/** An indicator with a score is what the platform calls malicious or suspicious. */
const FINDING: OcsfFindings = {
  className: 'detection_finding',
  table: 'indicators',
  where: 'score > 0',
  rows: [
    ...METADATA,
    ...DEVICE,
    ...ACTOR,
    ['time', { column: 'event_time' }],
    ['activity_id', { constant: 1 }],
    ['severity_id', { bands: 'indicators.score', from: SEVERITIES }],
    ['risk_score', { column: 'indicators.score' }],
    ['action_id', { constant: 0 }],
    ['finding_info.uid', { computed: FINDING_UID }],
    [
      'finding_info.title',
      {
        computed: `coalesce("indicators.threat_name", "indicators.family_name", 'File that is ' || lower("indicators.verdict"), 'Scored indicator')`,
      },
    ],
    ['finding_info.types', { computed: `[coalesce("indicators.verdict", 'UNKNOWN')]` }],
    ['finding_info.first_seen_time', { column: 'event_time' }],
    ['finding_info.created_time', { column: 'processed_time' }],
    ['finding_info.related_events[].uid', { computed: 'event_id' }],
    ['metadata.uid', { computed: FINDING_UID }],
    ['metadata.correlation_uid', { computed: 'event_id' }],
    ['malware[].name', { computed: `coalesce("indicators.family_name", "indicators.threat_name")` }],
    ['malware[].provider', { constant: 'Qualys' }],
    [
      'malware[].classification_ids',
      {
        computed: `[CASE lower("indicators.category") WHEN 'adware' THEN 1 WHEN 'backdoor' THEN 2 WHEN 'downloader' THEN 6 WHEN 'dropper' THEN 7 WHEN 'ransomware' THEN 10 WHEN 'rootkit' THEN 15 WHEN 'spyware' THEN 17 WHEN 'trojan' THEN 18 WHEN 'virus' THEN 19 WHEN 'worm' THEN 22 ELSE CASE WHEN "indicators.category" IS NULL THEN 0 ELSE 99 END END]`,
      },
    ],
    ['malware[].classifications', { computed: `[coalesce("indicators.category", 'Unknown')]` }],
    ['evidences[].data', { computed: `to_json({sha256: "indicators.sha256", row_id: "indicators.row_id"})` }],
    ['evidences[].file.name', { computed: 'file_name' }],
    ['evidences[].file.path', { computed: 'file_full_path' }],
    ['evidences[].file.type_id', { constant: 0 }],
    ['evidences[].file.hashes[algorithm_id=3].value', { computed: '"indicators.sha256"' }],
  ],
};

/** The events of Qualys EDR as OCSF. docs/ocsf.md shows it as a table. */
export const QUALYS_EDR_OCSF: OcsfMapping = {
  version: 1,
  account: 'customer_id',
  types: {
    FILE: [
      activity(
        'file_activity',
        { CREATED: 1, READ: 2, MODIFIED: 3, UPDATED: 3, WRITTEN: 3, DELETED: 4, RENAMED: 5, OPENED: 14 },
        [UNKNOWN_ACTOR, ...FILE],
        [CERTIFICATES('file.signature'), CERTIFICATES('file.signatures')],
      ),
    ],
    PROCESS: [
      activity('process_activity', { RUNNING: 1, CREATED: 1, STARTED: 1, TERMINATED: 2 }, [UNKNOWN_ACTOR, ...PROCESS]),
    ],
    NETWORK: [
      activity(
        'network_activity',
        { ESTABLISHED: 1, CONNECTED: 1, CLOSED: 2, DISCONNECTED: 2, REFUSED: 5, LISTENING: 7 },
        NETWORK,
      ),
    ],
    REGISTRY: [REGISTRY_VALUE_ACTIVITY, REGISTRY_KEY_ACTIVITY],
    MUTEX: [
      activity('kernel_activity', { CREATED: 1, DELETED: 3, TERMINATED: 3 }, [
        UNKNOWN_ACTOR,
        ['kernel.name', { computed: MUTEX_NAME }],
        ['kernel.type_id', { constant: 1 }],
      ]),
    ],
  },
  others: UNCLASSIFIED,
  findings: [FINDING],
};

import type { Facts } from './facts.ts';

/** Objects that attributes hold, as far as edrlake fills them: all that they require, and what there are values for. */
export const OBJECTS: Readonly<Record<string, Facts>> = {
  actor: {
    attributes: ['app_name string_t', 'process process', 'user user'],
    atLeastOne: 'process user app_name',
  },
  agent: {
    attributes: [
      'uid string_t',
      'name string_t',
      'type string_t',
      'type_id integer_t 0 Unknown, 1 Endpoint Detection and Response, 99 Other',
      'vendor_name string_t',
    ],
    atLeastOne: 'uid name',
  },
  certificate: {
    attributes: [
      'created_time timestamp_t',
      'expiration_time timestamp_t',
      'fingerprints!1.3.0 fingerprint[]',
      'issuer! string_t',
      'serial_number! string_t',
      'subject string_t',
      'uid string_t',
    ],
  },
  device: {
    attributes: [
      'hostname hostname_t',
      'name string_t',
      'uid string_t',
      'type string_t',
      'type_id! integer_t 0 Unknown, 1 Server, 2 Desktop, 3 Laptop, 4 Tablet, 5 Mobile, 6 Virtual, 7 IOT, 99 Other',
      'os os',
      'owner user',
      'agent_list agent[]',
      'groups group[]',
      'network_interfaces network_interface[]',
    ],
    atLeastOne: 'uid name hostname',
  },
  digital_signature: {
    attributes: [
      'algorithm string_t',
      'algorithm_id! integer_t 0 Unknown, 1 DSA, 2 RSA, 3 ECDSA, 4 Authenticode, 99 Other',
      'certificate certificate',
      'state string_t',
      'state_id integer_t 0 Unknown, 1 Valid, 2 Expired, 3 Revoked, 4 Suspended, 5 Pending, 99 Other',
    ],
  },
  enrichment: {
    attributes: [
      'name! string_t',
      'value! string_t',
      'type string_t',
      'provider string_t',
      'reputation reputation',
      'data! json_t',
    ],
  },
  evidences: {
    attributes: ['actor actor', 'device device', 'file file', 'data json_t'],
    atLeastOne: 'actor device file data',
  },
  extension: {
    attributes: ['name!1.3.0 string_t', 'uid!1.3.0 string_t', 'version! string_t'],
    atLeastOne: { '1.3.0': '', '1.8.0': 'name uid' },
  },
  file: {
    attributes: [
      'name! file_name_t',
      'type string_t',
      'type_id! integer_t 0 Unknown, 1 Regular File, 2 Folder, 3 Character Device, 4 Block Device, 5 Local Socket, 6 Named Pipe, 7 Symbolic Link, 99 Other',
      'path string_t =1.3.0',
      'path file_path_t =1.8.0',
      'parent_folder string_t',
      'ext string_t',
      'size long_t',
      'hashes fingerprint[]',
      'created_time timestamp_t',
      'accessed_time timestamp_t',
      'modified_time timestamp_t',
      'company_name string_t',
      'desc string_t',
      'owner user',
      'product product',
      'security_descriptor string_t',
      'signature digital_signature =1.3.0',
      'signatures digital_signature[] =1.8.0',
      'version string_t',
      'volume string_t =1.8.0',
    ],
  },
  finding_info: {
    attributes: [
      'uid! string_t',
      'title!1.3.0 string_t',
      'created_time timestamp_t',
      'first_seen_time timestamp_t',
      'data_sources string_t[]',
      'related_events related_event[]',
      'types string_t[]',
    ],
  },
  fingerprint: {
    attributes: [
      'algorithm string_t',
      'algorithm_id! integer_t 0 Unknown, 1 MD5, 2 SHA-1, 3 SHA-256, 4 SHA-512, 5 CTPH, 6 TLSH, 7 quickXorHash, 99 Other',
      'value! file_hash_t',
    ],
  },
  group: { attributes: ['name string_t', 'uid string_t', 'type string_t'], atLeastOne: 'name uid' },
  kernel: {
    attributes: [
      'name! string_t',
      'type string_t',
      'type_id! integer_t 0 Unknown, 1 Shared Mutex, 2 System Call, 99 Other',
    ],
  },
  malware: {
    attributes: ['classification_ids! integer_t[]', 'classifications string_t[]', 'name string_t', 'provider string_t'],
    atLeastOne: 'name uid',
  },
  metadata: {
    attributes: [
      'version! string_t',
      'product! product',
      'profiles string_t[]',
      'extensions extension[]',
      'uid string_t',
      'correlation_uid string_t',
      'event_code string_t',
      'log_provider string_t',
      'processed_time timestamp_t',
      'tenant_uid string_t',
    ],
  },
  network_connection_info: {
    attributes: [
      'direction string_t',
      'direction_id! integer_t 0 Unknown, 1 Inbound, 2 Outbound, 3 Lateral, 99 Other',
      'protocol_name string_t',
    ],
  },
  network_endpoint: {
    attributes: ['hostname hostname_t', 'ip ip_t', 'port port_t'],
    atLeastOne: 'ip hostname',
  },
  network_interface: {
    attributes: [
      'ip ip_t',
      'mac mac_t',
      'type string_t',
      'type_id!1.3.0 integer_t 0 Unknown, 1 Wired, 2 Wireless, 3 Mobile, 4 Tunnel, 99 Other',
    ],
    atLeastOne: 'ip mac',
  },
  os: {
    attributes: [
      'name! string_t',
      'type string_t',
      'type_id! integer_t 0 Unknown, 100 Windows, 101 Windows Mobile, 200 Linux, 201 Android, 300 macOS, 301 iOS, 302 iPadOS, 400 Solaris, 401 AIX, 402 HP-UX, 99 Other',
    ],
  },
  process: {
    attributes: [
      'pid integer_t',
      'uid string_t',
      'name process_name_t',
      'cmd_line string_t',
      'created_time timestamp_t',
      'file file',
      'integrity string_t',
      'integrity_id integer_t 0 Unknown, 1 Untrusted, 2 Low, 3 Medium, 4 High, 5 System, 6 Protected, 99 Other',
      'parent_process process',
      'user user',
    ],
    atLeastOne: 'pid uid',
  },
  product: {
    attributes: ['name string_t', 'vendor_name!1.3.0 string_t', 'version string_t'],
    atLeastOne: 'name uid',
  },
  'win/reg_key': { attributes: ['path! string_t =1.3.0', 'path! reg_key_path_t =1.8.0'] },
  'win/reg_value': {
    attributes: ['name! string_t', 'path! string_t =1.3.0', 'path! reg_key_path_t =1.8.0', 'data json_t'],
  },
  related_event: { attributes: ['uid! string_t'] },
  reputation: {
    attributes: [
      'base_score! float_t',
      'provider string_t',
      'score string_t',
      'score_id! integer_t 0 Unknown, 1 Very Safe, 2 Safe, 3 Probably Safe, 4 Leans Safe, 5 May not be Safe, 6 Exercise Caution, 7 Suspicious/Risky, 8 Possibly Malicious, 9 Probably Malicious, 10 Malicious, 99 Other',
    ],
  },
  user: { attributes: ['name username_t', 'uid string_t'], atLeastOne: 'name uid' },
};

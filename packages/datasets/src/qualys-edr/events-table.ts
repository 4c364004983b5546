import type { ColumnSpec } from '@edrlake/core';
import { field } from '../define/column.ts';
import type { EventsDefinition } from '../define/define-tables.ts';

const EVENT: readonly ColumnSpec[] = [
  field('time_series_id', 'text', 'timeSeriesId', 'identity in the time-series store of the first API version'),
  field('event_type', 'text', 'type', 'FILE, PROCESS, MUTEX, NETWORK, REGISTRY or newer, as delivered'),
  field('action', 'text', 'action', 'what happened: CREATED, RUNNING, …, as delivered'),
  field('score', 'integer', 'score', 'maliciousness of the event; higher is worse'),
  field('event_source', 'text', 'eventSource', 'what reported the event'),
  field('customer_id', 'text', 'customerId asset.customerId', 'the subscription the asset belongs to'),
  field('agent_id', 'text', 'asset.agentId', 'the agent on the asset', { observable: 'agent' }),
  field('host_name', 'text', 'asset.hostName', 'host name of the asset', { observable: 'host' }),
  field('netbios_name', 'text', 'asset.netBiosName', 'NetBIOS name of the asset', { observable: 'host' }),
  field('platform', 'text', 'asset.platform', 'WINDOWS, LINUX, …, as delivered'),
  field('os_name', 'text', 'asset.fullOSName', 'operating system with version and build'),
  field('asset_type', 'text', 'asset.assetType', 'kind of asset'),
  field('last_logged_on_user', 'text', 'asset.lastLoggedOnUser', 'who logged on last'),
];

const ACTOR: readonly ColumnSpec[] = [
  field('actor_process_id', 'bigint', 'actor.processId', 'process id of the process that acted'),
  field('actor_process_name', 'text', 'actor.processName', 'its image name', { observable: 'file' }),
  field('actor_user_name', 'text', 'actor.userName', 'account it runs as, with domain'),
  field('actor_user_id', 'text', 'actor.userId', 'account it runs as'),
  field('actor_image_path', 'text', 'actor.imageFullPath', 'its image with directory', {
    observable: 'path',
    rule: 'path',
  }),
  field('actor_arguments', 'text', 'actor.arguments', 'its command line arguments'),
  field('actor_elevated', 'boolean', 'actor.elevated', 'whether it runs elevated'),
  field('actor_parent_process_id', 'bigint', 'actor.parentProcessId', 'process id of its parent'),
  field('actor_state', 'text', 'actor.state', 'RUNNING, TERMINATED, …, as delivered'),
  field('actor_event_id', 'text', 'actor.eventId', 'event id of its own PROCESS event'),
  field('actor_created_time', 'timestamp', 'actor.createDate actor.createdDate', 'when it was started', {
    rule: 'creation-time',
    unit: 'UTC',
  }),
];

const FILE: readonly ColumnSpec[] = [
  field('file_name', 'text', 'file.fileName', 'name without directory', { observable: 'file' }),
  field('file_path', 'text', 'file.path', 'the directory', { rule: 'path' }),
  field('file_full_path', 'text', 'file.fullPath', 'directory and name', {
    observable: 'path',
    rule: 'file-path',
    parts: { directory: 'file.path', name: 'file.fileName' },
  }),
  field('file_extension', 'text', 'file.extension', 'extension without its dot', { rule: 'extension' }),
  field('file_md5', 'text', 'file.md5', 'MD5 of the content, hexadecimal', { observable: 'md5' }),
  field('file_sha256', 'text', 'file.sha256', 'SHA-256 of the content, hexadecimal', { observable: 'sha256' }),
  field('file_size', 'bigint', 'file.size', 'size of the content', { unit: 'bytes' }),
  field('file_created_time', 'timestamp', 'file.createdDate file.createDate', 'when it was created', {
    rule: 'creation-time',
    unit: 'UTC',
  }),
  field('file_accessed_time', 'timestamp', 'file.accessDate', 'when it was last read', { unit: 'UTC' }),
  field('file_modified_time', 'timestamp', 'file.writeDate', 'when it was last written', { unit: 'UTC' }),
  field('file_company', 'text', 'file.company', 'company in its version resource'),
  field('file_product', 'text', 'file.product', 'product in its version resource'),
  field('file_version', 'text', 'file.version', 'version in its version resource'),
  field('file_description', 'text', 'file.description', 'description in its version resource'),
  field('file_copyright', 'text', 'file.copyright', 'copyright in its version resource'),
  field('file_publisher', 'text', 'file.publisher', 'who signed it'),
  field('file_owner', 'text', 'file.owner', 'account that owns it'),
  field('file_type', 'text', 'file.fileType', 'kind of file'),
  field('file_device_letter', 'text', 'file.deviceLetter', 'drive letter'),
  field('file_device_path', 'text', 'file.devicePath', 'device'),
  field('file_permission', 'text', 'file.permission', 'permissions as delivered'),
  field('file_security_attributes', 'text', 'file.securityAttributes', 'security descriptor (SDDL)'),
  field('file_manifest_id', 'text', 'file.manifestId', 'manifest the collection followed'),
];

const PROCESS: readonly ColumnSpec[] = [
  field('process_id', 'bigint', 'process.pid', 'process id of the process the event is about'),
  field('process_name', 'text', 'process.processName process.processFile.fileName', 'its image name', {
    observable: 'file',
  }),
  field('process_full_path', 'text', 'process.fullPath process.processFile.fullPath', 'its image with directory', {
    observable: 'path',
    rule: 'path',
  }),
  field('process_arguments', 'text', 'process.arguments', 'its command line arguments'),
  field('process_user_name', 'text', 'process.userName', 'account it runs as'),
  field('process_elevated', 'boolean', 'process.elevated', 'whether it runs elevated'),
  field('process_parent_id', 'bigint', 'process.parentPid', 'process id of its parent'),
  field('process_integrity_level', 'text', 'process.integrityLevel', 'integrity level'),
  field('process_sid', 'text', 'process.sid', 'security identifier of the account'),
  field('process_event_id', 'text', 'process.processEventId', 'event id of the process'),
  field('process_file_sha256', 'text', 'process.processFile.sha256', 'SHA-256 of its image, hexadecimal', {
    observable: 'sha256',
  }),
  field('process_file_md5', 'text', 'process.processFile.md5', 'MD5 of its image, hexadecimal', { observable: 'md5' }),
];

const SECTIONS: readonly ColumnSpec[] = [
  field('network_local_ip', 'text', 'network.localIP', 'address on the asset'),
  field('network_remote_ip', 'text', 'network.remoteIP', 'address of the other side', { observable: 'ip' }),
  field('network_remote_dns', 'text', 'network.remoteDns', 'name of the other side', { observable: 'domain' }),
  field('network', 'json', 'network', 'the whole section as delivered'),
  field('registry', 'json', 'registry', 'the whole section as delivered'),
  field('mutex', 'json', 'mutex', 'the whole section as delivered'),
];

/**
 * One row for each event. Sorted by type, host and time: a host lookup reads one range of rows of each type, a time
 * slice one range of each host, and hashes are found through bloom filters of the dictionaries.
 */
export const EVENTS: EventsDefinition = {
  columns: [...EVENT, ...ACTOR, ...FILE, ...PROCESS, ...SECTIONS],
  sortBy: ['event_type', 'host_name'],
};

import type { ColumnSpec, TableSpec } from '@edrlake/core';
import { derived, field } from './column.ts';

const EVENT_KEY: readonly ColumnSpec[] = [
  derived('event_date', 'date', 'UTC day of event_time; the partition, the same as the event’s'),
  derived('event_id', 'text', 'the event this row belongs to'),
  derived('event_time', 'timestamp', 'when the event happened on the asset'),
  derived('position', 'integer', 'place in the delivered array, from 0'),
];

const EXTRA = derived(
  'extra',
  'json',
  'every field of the element that no column takes; the element itself when it is no object',
);

/** Sorted by issuer: analysts ask for one issuer's certificates, and the few issuers compress to almost nothing. */
export const CERTIFICATES: TableSpec = {
  name: 'certificates',
  arrays: ['file.certificates'],
  columns: [
    ...EVENT_KEY,
    field('certificate_hash', 'text', 'certificateHash', '64-bit hash of the certificate, as text'),
    field('issuer', 'text', 'certificateIssuer', 'who issued it'),
    field('issued_to', 'text', 'certificateIssuedTo', 'whom it was issued to'),
    field('subject', 'text', 'subject', 'subject of the certificate'),
    field('is_valid', 'boolean', 'certificateValid', 'whether the platform found it valid'),
    field('is_signed', 'boolean', 'certificateSigned', 'whether the file is signed with it'),
    field('signed_time', 'timestamp', 'certificateSignedDate', 'when it was signed', { rule: 'validity', unit: 'UTC' }),
    field('expiry_time', 'timestamp', 'expiryDate', 'when it expires', { rule: 'validity', unit: 'UTC' }),
    EXTRA,
  ],
  partitionBy: 'event_date',
  sortBy: ['issuer', 'issued_to', 'event_time', 'event_id', 'position'],
};

/** Sorted by hash: a lookup of one hash reads one row group. */
export const INDICATORS: TableSpec = {
  name: 'indicators',
  arrays: ['indicator1', 'indicator2'],
  columns: [
    ...EVENT_KEY,
    derived('indicator_set', 'text', 'the array it was delivered in: indicator1 or indicator2'),
    field('score', 'integer', 'score', 'maliciousness; higher is worse'),
    field('sha256', 'text', 'sha256', 'SHA-256 the indicator is about, hexadecimal'),
    field('family_name', 'text', 'familyName', 'malware family'),
    field('verdict', 'text', 'verdict', 'KNOWN, MALICIOUS, …, as delivered'),
    field('threat_name', 'text', 'threatName', 'name of the threat'),
    field('category', 'text', 'category', 'malware category'),
    field('row_id', 'text', 'rowId', '64-bit id of the indicator, as text'),
    EXTRA,
  ],
  partitionBy: 'event_date',
  sortBy: ['sha256', 'event_time', 'event_id', 'indicator_set', 'position'],
};

/** Sorted by agent: all addresses of one asset are adjacent. */
export const INTERFACES: TableSpec = {
  name: 'interfaces',
  arrays: ['asset.interfaces'],
  columns: [
    ...EVENT_KEY,
    derived('agent_id', 'text', 'the agent on the asset, from the event'),
    field('ip_address', 'text', 'ipAddress', 'address of the interface'),
    field('mac_address', 'text', 'macAddress', 'hardware address of the interface'),
    EXTRA,
  ],
  partitionBy: 'event_date',
  sortBy: ['agent_id', 'ip_address', 'event_time', 'event_id', 'position'],
};

/** Sorted by tag: all events of one tag are adjacent. */
export const ASSET_TAGS: TableSpec = {
  name: 'asset_tags',
  arrays: ['asset.tags'],
  columns: [
    ...EVENT_KEY,
    field('tag_id', 'bigint', 'id', 'id of the tag'),
    field('tag_name', 'text', 'name', 'name of the tag'),
    field('tag_uuid', 'text', 'uuid', 'UUID of the tag'),
    EXTRA,
  ],
  partitionBy: 'event_date',
  sortBy: ['tag_id', 'tag_name', 'event_time', 'event_id', 'position'],
};

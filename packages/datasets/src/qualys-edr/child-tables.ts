import { field, fromEvent } from '../define/column.ts';
import type { ChildDefinition } from '../define/define-tables.ts';

/** Sorted by issuer: analysts ask for one issuer's certificates, and the few issuers compress to almost nothing. */
export const CERTIFICATES: ChildDefinition = {
  arrays: 'file.certificates',
  columns: [
    field('certificate_hash', 'text', 'certificateHash', '64-bit hash of the certificate, as text', {
      observable: 'certificate',
    }),
    field('issuer', 'text', 'certificateIssuer', 'who issued it'),
    field('issued_to', 'text', 'certificateIssuedTo', 'whom it was issued to'),
    field('subject', 'text', 'subject', 'subject of the certificate'),
    field('is_valid', 'boolean', 'certificateValid', 'whether the platform found it valid'),
    field('is_signed', 'boolean', 'certificateSigned', 'whether the file is signed with it'),
    field('signed_time', 'timestamp', 'certificateSignedDate', 'when it was signed', { rule: 'validity', unit: 'UTC' }),
    field('expiry_time', 'timestamp', 'expiryDate', 'when it expires', { rule: 'validity', unit: 'UTC' }),
  ],
  sortBy: ['issuer', 'issued_to'],
};

/** Sorted by hash: a lookup of one hash reads one row group. */
export const INDICATORS: ChildDefinition = {
  arrays: 'indicator1 indicator2',
  arrayColumn: { name: 'indicator_set', meaning: 'the array it was delivered in: indicator1 or indicator2' },
  columns: [
    field('score', 'integer', 'score', 'maliciousness; higher is worse'),
    field('sha256', 'text', 'sha256', 'SHA-256 the indicator is about, hexadecimal', { observable: 'sha256' }),
    field('family_name', 'text', 'familyName', 'malware family'),
    field('verdict', 'text', 'verdict', 'KNOWN, MALICIOUS, …, as delivered'),
    field('threat_name', 'text', 'threatName', 'name of the threat'),
    field('category', 'text', 'category', 'malware category'),
    field('row_id', 'text', 'rowId', '64-bit id of the indicator, as text'),
  ],
  sortBy: ['sha256'],
};

/** Sorted by agent: all addresses of one asset are adjacent. */
export const INTERFACES: ChildDefinition = {
  arrays: 'asset.interfaces',
  columns: [
    fromEvent('agent_id', 'text', 'the agent on the asset, from the event'),
    field('ip_address', 'text', 'ipAddress', 'address of the interface', { observable: 'ip' }),
    field('mac_address', 'text', 'macAddress', 'hardware address of the interface'),
  ],
  sortBy: ['agent_id', 'ip_address'],
};

/** Sorted by tag: all events of one tag are adjacent. */
export const ASSET_TAGS: ChildDefinition = {
  arrays: 'asset.tags',
  columns: [
    field('tag_id', 'bigint', 'id', 'id of the tag'),
    field('tag_name', 'text', 'name', 'name of the tag'),
    field('tag_uuid', 'text', 'uuid', 'UUID of the tag'),
  ],
  sortBy: ['tag_id', 'tag_name'],
};

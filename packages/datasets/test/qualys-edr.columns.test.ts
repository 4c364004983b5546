import { QUALYS_EDR } from '@edrlake/datasets';
import { expect, test } from 'vitest';

/** Columns as `name` for text, `name:type` otherwise, in file order. */
const COLUMNS: Readonly<Record<string, string>> = {
  events: `event_date:date event_id event_time:timestamp processed_time:timestamp time_series_id event_type action
    score:integer event_source customer_id agent_id host_name netbios_name platform os_name asset_type last_logged_on_user
    actor_process_id:bigint actor_process_name actor_user_name actor_user_id actor_image_path actor_arguments
    actor_elevated:boolean actor_parent_process_id:bigint actor_state actor_event_id actor_created_time:timestamp
    file_name file_path file_full_path file_extension file_md5 file_sha256 file_size:bigint file_created_time:timestamp
    file_accessed_time:timestamp file_modified_time:timestamp file_company file_product file_version file_description
    file_copyright file_publisher file_owner file_type file_device_letter file_device_path file_permission
    file_security_attributes file_manifest_id
    process_id:bigint process_name process_full_path process_arguments process_user_name process_elevated:boolean
    process_parent_id:bigint process_integrity_level process_sid process_event_id process_file_sha256 process_file_md5
    network_local_ip network_remote_ip network_remote_dns network:json registry:json mutex:json extra:json`,
  certificates: `event_date:date event_id event_time:timestamp position:integer certificate_hash issuer issued_to subject
    is_valid:boolean is_signed:boolean signed_time:timestamp expiry_time:timestamp extra:json`,
  indicators: `event_date:date event_id event_time:timestamp position:integer indicator_set score:integer sha256
    family_name verdict threat_name category row_id extra:json`,
  interfaces: `event_date:date event_id event_time:timestamp position:integer agent_id ip_address mac_address extra:json`,
  asset_tags: `event_date:date event_id event_time:timestamp position:integer tag_id:bigint tag_name tag_uuid extra:json`,
  rejects: `ingest_date:date window_id reason path event_id event_time:timestamp processed_time:timestamp
    record:json`,
};

test('the tables have exactly the columns of the contract, in order', () => {
  const found = QUALYS_EDR.tables.map((table) => [
    table.name,
    table.columns.map(({ name, type }) => (type === 'text' ? name : `${name}:${type}`)),
  ]);
  expect(found).toEqual(Object.entries(COLUMNS).map(([name, columns]) => [name, columns.split(/\s+/)]));
});

test('every table is partitioned and sorted by columns it has, and every column says what it means', () => {
  for (const table of QUALYS_EDR.tables) {
    const names = table.columns.map((column) => column.name);
    expect(names[0], table.name).toBe(table.partitionBy);
    expect(names).toEqual(expect.arrayContaining([...table.sortBy]));
    expect(new Set(names).size).toBe(names.length);
    for (const column of table.columns) expect(column.meaning.length, column.name).toBeGreaterThan(5);
  }
});

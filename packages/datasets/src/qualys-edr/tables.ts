import type { Dataset } from '@edrlake/core';
import { defineTables } from '../define/define-tables.ts';
import { ASSET_TAGS, CERTIFICATES, INDICATORS, INTERFACES } from './child-tables.ts';
import { EVENTS } from './events-table.ts';

/**
 * The events of Qualys IOC and EDR, lists and details, in both versions of the API.
 * @example
 * for (const { name, columns } of QUALYS_EDR.tables) console.log(name, columns.map((column) => column.name));
 */
export const QUALYS_EDR: Dataset = defineTables({
  name: 'qualys-edr',
  unnamedLakes: true,
  customer: 'customer_id',
  identity: 'id eventId',
  times: { event: 'dateTime', processed: 'eventProcessedTime' },
  tables: {
    events: EVENTS,
    children: {
      certificates: CERTIFICATES,
      indicators: INDICATORS,
      interfaces: INTERFACES,
      asset_tags: ASSET_TAGS,
    },
  },
  processes: {
    host: 'host_name',
    subject: {
      ...{ id: 'process_id', parent: 'process_parent_id', name: 'process_name', path: 'process_full_path' },
      ...{ arguments: 'process_arguments', user: 'process_user_name' },
    },
    actor: {
      ...{ id: 'actor_process_id', parent: 'actor_parent_process_id', name: 'actor_process_name' },
      ...{ path: 'actor_image_path', arguments: 'actor_arguments', user: 'actor_user_name' },
      started: 'actor_created_time',
    },
  },
  shape: {
    leftovers: [
      'verdict',
      'category',
      'familyName',
      'infections',
      'actor.type',
      'process.isCertificateExists',
      'process.processFile.path',
      'process.processFile.moduleName',
      'process.processFile.uniqueImageId',
    ],
  },
});

import type { Dataset } from '@edrlake/core';
import { field, fromEvent } from '../define/column.ts';
import { defineTables } from '../define/define-tables.ts';

/**
 * The events of Qualys File Integrity Monitoring: what changed in files, directories and registry keys that a profile
 * watches. Names as in `/fim/v2/events/search`.
 * @example
 * const fim = await openLake(directory, { dataset: QUALYS_FIM });
 * console.log(await fim.query('select count(*) as events from events').toArray());
 * await fim.close();
 */
export const QUALYS_FIM: Dataset = defineTables({
  name: 'qualys-fim',
  identity: 'id',
  customer: 'customer_id',
  times: { event: 'dateTime', processed: 'processedTime' },
  tables: {
    events: {
      columns: [
        field('event_type', 'text', 'type', 'File, Directory or a kind of registry object, as delivered'),
        field('action', 'text', 'action', 'Create, Content, Security, Attributes, Rename, Delete, …, as delivered'),
        field('severity', 'integer', 'severity', 'from 1 to 5; higher is worse'),
        field('event_class', 'text', 'class', 'Disk or Registry, as delivered'),
        field('incident_id', 'text', 'incidentId', 'incident that the event was put into'),
        field('customer_id', 'text', 'customerId', 'the subscription the asset belongs to'),
        field('platform', 'text', 'platform', 'WINDOWS or LINUX, as delivered'),
        field('name', 'text', 'name', 'name of what changed, without directory', { observable: 'file' }),
        field('full_path', 'text', 'fullPath', 'what changed, with directory', { observable: 'path', rule: 'path' }),
        field('old_content', 'text', 'oldContent', 'content before, where it is recorded'),
        field('new_content', 'text', 'newContent', 'content after, where it is recorded'),
        field('changed_attributes', 'json', 'changedAttributes', 'numbers of the attributes that changed'),
        field('attributes', 'json', 'attributes', 'attributes before and after'),
        field('actor_process_name', 'text', 'actor.process', 'image name of the process that made the change', {
          observable: 'file',
        }),
        field('actor_process_id', 'bigint', 'actor.processID', 'its process id'),
        field('actor_image_path', 'text', 'actor.imagePath', 'its image with directory', {
          observable: 'path',
          rule: 'path',
        }),
        field('actor_user_name', 'text', 'actor.userName', 'account it ran as, with domain'),
        field('actor_user_id', 'text', 'actor.userID', 'security identifier of the account'),
        field('agent_id', 'text', 'asset.agentId', 'the agent on the asset', { observable: 'agent' }),
        field('host_name', 'text', 'asset.name', 'name of the asset', { observable: 'host' }),
        field('host_id', 'text', 'asset.hostId', 'number of the asset'),
        field('netbios_name', 'text', 'asset.netbiosName', 'NetBIOS name of the asset', { observable: 'host' }),
        field('os_name', 'text', 'asset.operatingSystem', 'operating system with version and build'),
        field('asset_type', 'text', 'asset.assetType', 'kind of asset'),
        field('agent_version', 'text', 'asset.agentVersion', 'version of the agent'),
        field('last_logged_on_user', 'text', 'asset.lastLoggedOnUser', 'who logged on last'),
        field('last_checked_in_time', 'timestamp', 'asset.lastCheckedIn', 'when the agent was last seen'),
        field('last_boot_time', 'timestamp', 'asset.system.lastBoot', 'when the asset was started'),
      ],
      sortBy: ['event_type', 'host_name'],
    },
    children: {
      profiles: {
        arrays: 'profiles',
        columns: [
          field('profile_id', 'text', 'id', 'id of the profile that watches the path'),
          field('profile_name', 'text', 'name', 'name of the profile'),
          field('profile_type', 'text', 'type', 'WINDOWS or LINUX'),
          field('category', 'json', 'category', 'category of the profile, such as PCI'),
          field('rules', 'json', 'rules', 'the rules of the profile that fit, whole'),
        ],
        sortBy: ['profile_name'],
      },
      interfaces: {
        arrays: 'asset.interfaces',
        columns: [
          fromEvent('agent_id', 'text', 'the agent on the asset, from the event'),
          field('host_name', 'text', 'hostname', 'host name behind the address', { observable: 'host' }),
          field('ip_address', 'text', 'address', 'address of the interface', { observable: 'ip' }),
          field('mac_address', 'text', 'macAddress', 'hardware address of the interface'),
          field('interface_name', 'text', 'interfaceName', 'name of the interface'),
        ],
        sortBy: ['agent_id', 'ip_address'],
      },
    },
  },
  shape: {
    leftovers: ['asset.tags', 'asset.ec2', 'asset.created', 'asset.updated'],
    wrapperMembers: ['sortValues'],
  },
});

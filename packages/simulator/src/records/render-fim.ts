import { draw, hexDigest, pick, uuidText } from '../world/hash.ts';
import { apiTimestamp, DAY_MS, isoText } from '../world/time-text.ts';
import { programOf } from './actors.ts';
import type { EventWorld } from './render-list.ts';

const SALT = { action: 90, profile: 91, attributes: 92, checkedIn: 93, incident: 94, unknown: 95 } as const;
const ACTIONS = ['Create', 'Content', 'Security', 'Attributes', 'Rename', 'Delete'] as const;
const PROFILES = ['Windows Profile - PCI', 'Web servers', 'Registry run keys', 'München "Kiosks"'] as const;

/**
 * Makes the writer of FIM events: the JSON text of an element of the answer of `POST /fim/v2/events/search`, a wrapper
 * with the record in `data`. The events of the world are shown as changes of files.
 */
export function fimRenderer(world: EventWorld): (index: number) => string {
  const { attributes, population, identities } = world;
  const { seed } = attributes;
  return (index) => {
    const timeMs = population.timeOf(index);
    const file = attributes.file(index);
    const machine = attributes.machine(index);
    const program = programOf(seed, index);
    const data = {
      dateTime: apiTimestamp(timeMs),
      fullPath: `${file.directory}\\${file.name}`,
      severity: 1 + (attributes.score(index, population.revisionOf(index)) % 5),
      profiles: profilesOf(seed, index),
      type: attributes.type(index),
      changedAttributes: draw(seed, index, SALT.attributes) % 3 === 0 ? null : [1, 2 + (index % 14)],
      platform: machine.platform,
      oldContent: null,
      processedTime: apiTimestamp(population.processedOf(index)),
      actor: {
        process: program.processName,
        processID: identities.pid(index),
        imagePath: `C:\\Windows\\${program.processName}`,
        userName: 'NT AUTHORITY\\SYSTEM',
        userID: 'S-1-5-18',
      },
      newContent: null,
      name: file.name,
      action: pick(ACTIONS, draw(seed, index, SALT.action)),
      id: identities.id(index),
      asset: {
        agentId: machine.agentId,
        interfaces: machine.interfaces.map(({ ipAddress, macAddress }, at) => ({
          hostname: at === 0 ? machine.hostName : '',
          macAddress,
          address: ipAddress,
          interfaceName: `Ethernet ${at}`,
        })),
        lastCheckedIn: isoText(timeMs - (draw(seed, index, SALT.checkedIn) % DAY_MS)),
        hostId: String(15_000_000 + attributes.machineNumber(index)),
        operatingSystem: machine.osName,
        tags: ['78801867', String(index % 7)],
        assetType: 'HOST',
        system: { lastBoot: isoText(timeMs - DAY_MS) },
        netbiosName: machine.netBiosName,
        name: machine.hostName,
        agentVersion: '4.0.0.411',
      },
      incidentId: draw(seed, index, SALT.incident) % 5 === 0 ? uuidText(seed, index % 50, SALT.incident) : null,
      class: 'Disk',
      ...(draw(seed, index, SALT.unknown) % 500 === 0 && { containerId: hexDigest(seed, index, SALT.unknown, 2) }),
    };
    return JSON.stringify({ sortValues: [timeMs], data });
  };
}

/** How many profiles watch the path of an event: none to two. */
export function profileCount(seed: number, index: number): number {
  return draw(seed, index, SALT.profile) % 3;
}

function profilesOf(seed: number, index: number): readonly object[] {
  return Array.from({ length: profileCount(seed, index) }, (_, at) => {
    const number = (draw(seed, index, SALT.profile) + at) % PROFILES.length;
    return {
      name: pick(PROFILES, number),
      rules: [
        { severity: 4, number: 1, name: 'System32', id: uuidText(seed, number, SALT.profile), type: 'directory' },
      ],
      id: uuidText(seed, number, SALT.attributes),
      type: 'WINDOWS',
      category: number === 0 ? { name: 'PCI', id: '2dab5022-2fdd-11e7-93ae-92361f002671' } : null,
    };
  });
}

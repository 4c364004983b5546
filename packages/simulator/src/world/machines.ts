import { draw, hex8, hexDigest, pick, unit, uuidText } from './hash.ts';

/** One computer that runs an agent. */
export interface Machine {
  readonly agentId: string;
  readonly hostName: string;
  readonly netBiosName: string;
  readonly platform: string;
  readonly osName: string;
  readonly assetType: string | null;
  readonly lastUser: string;
  readonly interfaces: readonly { readonly ipAddress: string; readonly macAddress?: string }[];
  readonly tags: readonly { readonly id: number; readonly name: string; readonly uuid: string }[];
  /** Whether malware runs on it: its events are far more often malicious. */
  readonly infected: boolean;
}

/** The customer that every machine belongs to, unless the options name another. */
export const CUSTOMER_ID = 'e468ee44-ee1e-e89f-8239-5c264e797471';

/** A customer of its own for each seed, so that two gateways can stand for two subscriptions. */
export function customerOf(seed: number): string {
  return seed === 1 ? CUSTOMER_ID : uuidText(seed, 0, SALT.customer);
}

const SYSTEMS = [
  'Microsoft Windows 10 Enterprise 10.0.18363 Build 18363',
  'Microsoft Windows 10 Pro 10.0.17134 Build 17134',
  'Microsoft Windows 10 Enterprise 10.0.19041 Build 19041',
  'Microsoft Windows Server 2016 Standard 10.0.14393 Build 14393',
  'Microsoft Windows Server 2019 Datacenter 10.0.17763 Build 17763',
  'Microsoft® Windows® 8.1 Pro 6.3.9600 Build 9600',
] as const;
const KINDS = ['WS', 'LT', 'SRV', 'KIOSK', 'DC', 'BÜRO'] as const;
const DOMAINS = ['corp.example.com', 'eu.example.com', 'lab.example.net', ''] as const;
const USERS = ['alice', 'bob', 'carol', 'dave', 'erin', 'jürgen', 'svc-backup', "o'neill", 'mallory', 'zoë'] as const;
const TAG_NAMES = [
  'Cloud Agent',
  'Finance',
  'Servers',
  'Laptops',
  'PCI "in scope"',
  'München',
  'Dev',
  'Kiosks',
  'VIP',
  'DMZ',
];
const SALT = {
  agent: 100,
  kind: 110,
  system: 111,
  domain: 112,
  user: 113,
  address: 114,
  mac: 115,
  tags: 116,
  tagId: 117,
  customer: 118,
};

/** Every 29th machine is infected. */
const INFECTED_EVERY = 29;

/** The machines of the account. @returns exactly `count`, agent ids unique */
export function machinesOf(seed: number, count: number): readonly Machine[] {
  const tagPool = TAG_NAMES.map((name, at) => ({
    id: 7_000_000 + (draw(seed, at, SALT.tagId) % 900_000) * 10 + at,
    name,
    uuid: uuidText(seed, at, SALT.tagId + 1),
  }));
  return Array.from({ length: count }, (_, at) => {
    const kind = pick(KINDS, draw(seed, at, SALT.kind));
    const name = `${kind}-${String(1000 + at)}`;
    const domain = pick(DOMAINS, draw(seed, at, SALT.domain));
    const tagged = draw(seed, at, SALT.tags);
    return {
      agentId: uuidText(seed, at, SALT.agent, (draw(seed, 0, SALT.agent) + at) >>> 0),
      hostName: domain === '' ? name : `${name}.${domain}`,
      netBiosName: name,
      platform: 'WINDOWS',
      osName: pick(SYSTEMS, draw(seed, at, SALT.system)),
      assetType: at % 3 === 0 ? 'HOST' : null,
      lastUser: `CORP\\${pick(USERS, draw(seed, at, SALT.user))}`,
      interfaces: interfacesOf(seed, at),
      tags: tagPool.filter((_, bit) => ((tagged >>> (bit * 2)) & 3) === 0),
      infected: at % INFECTED_EVERY === 3 || count === 1,
    };
  });
}

/** One to three addresses, IPv6 among them, some with a hardware address. */
function interfacesOf(seed: number, at: number): Machine['interfaces'] {
  const drawn = draw(seed, at, SALT.address);
  const mac = hexDigest(seed, at, SALT.mac, 2)
    .slice(0, 12)
    .replace(/(..)(?!$)/g, '$1:');
  const all = [
    { ipAddress: `10.${drawn & 255}.${(drawn >>> 8) & 255}.${1 + ((drawn >>> 16) % 254)}`, macAddress: mac },
    { ipAddress: `fe80::${hex8(drawn).slice(0, 4)}:${hex8(drawn).slice(4)}` },
    { ipAddress: `192.168.${(drawn >>> 4) & 255}.${1 + (drawn % 254)}` },
  ];
  return all.slice(0, 1 + (drawn % 3));
}

/** The machine of an event: a few are busy, most are quiet. */
export function machineNumber(seed: number, index: number, count: number, salt: number): number {
  const along = unit(seed, index, salt);
  return Math.floor(count * along * along);
}

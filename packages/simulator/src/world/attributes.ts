import { FAMILIES, type FilePool, filePoolOf, type KnownFile } from './files-pool.ts';
import { draw, pick, unit } from './hash.ts';
import { type Machine, machineNumber, machinesOf } from './machines.ts';

/** As delivered in `type`; the section of that name, in lower case, has the details. */
export type EventType = 'FILE' | 'PROCESS' | 'MUTEX' | 'NETWORK' | 'REGISTRY';

/** Which release's payload an event has: IOC 2.3 (2019/20) or EDR 1.0 (September 2020). */
export type Vintage = 'ioc' | 'edr';

/** The shares of irregular records. */
export interface AttributeOptions {
  readonly agents: number;
  /** Whose machines these are. */
  readonly customerId: string;
  /** Share of events in the EDR 1.0 payload, 0 to 1; the rest is IOC 2.3. */
  readonly edrShare: number;
  /** Share of records whose `id` is null. */
  readonly nullIdShare: number;
  /** Share of records with a field or a section no document names. */
  readonly unknownFieldShare: number;
}

/** A part of an irregular record that no document names. */
export type UnknownPart = 'amsi' | 'antiphishing' | 'top-level' | 'in-asset';

/**
 * Every property of every event, each a pure function of (seed, index) and cheap to compute alone: filters, groups,
 * truth and rendering all use these, so that they cannot disagree. Properties that change when an event is revised take
 * the revision.
 */
export interface EventAttributes {
  readonly seed: number;
  readonly customerId: string;
  readonly machines: readonly Machine[];
  readonly files: FilePool;
  type(index: number): EventType;
  vintage(index: number): Vintage;
  machineNumber(index: number): number;
  machine(index: number): Machine;
  action(index: number): string;
  /** Whether the event belongs to the current state of its asset. */
  isCurrent(index: number): boolean;
  hasNullId(index: number): boolean;
  unknownPart(index: number): UnknownPart | null;
  isMalicious(index: number): boolean;
  /** 0 (harmless) to 10. */
  score(index: number, revision: number): number;
  /** The malware family, or null for a harmless event. */
  family(index: number): string | null;
  /** The file of a FILE event, or the image of a PROCESS event. */
  file(index: number): KnownFile;
  certificateCount(index: number): number;
  /** Elements of `indicator1` and `indicator2`. */
  indicatorCounts(index: number): { readonly first: number; readonly second: number };
  interfaceCount(index: number): number;
  tagCount(index: number): number;
}

const TYPES: readonly [EventType, number][] = [
  ['FILE', 0.55],
  ['PROCESS', 0.75],
  ['NETWORK', 0.87],
  ['REGISTRY', 0.95],
  ['MUTEX', 1],
];
const ACTIONS: Readonly<Record<EventType, readonly string[]>> = {
  FILE: ['CREATED', 'CREATED', 'MODIFIED', 'DELETED', 'RENAMED'],
  PROCESS: ['RUNNING', 'CREATED', 'TERMINATED'],
  NETWORK: ['ESTABLISHED', 'LISTENING', 'CLOSED'],
  REGISTRY: ['CREATED', 'UPDATED', 'DELETED'],
  MUTEX: ['RUNNING', 'TERMINATED'],
};
const UNKNOWN_PARTS: readonly UnknownPart[] = ['amsi', 'antiphishing', 'top-level', 'in-asset'];
const SALT = {
  type: 20,
  vintage: 21,
  machine: 22,
  action: 23,
  current: 24,
  nullId: 25,
  unknown: 26,
  unknownPart: 27,
  malicious: 28,
  score: 29,
  file: 30,
  single: 31,
  indicators: 32,
} as const;
const MALICIOUS_SHARE = { infected: 0.08, clean: 0.0015 } as const;
const SINGLE_FILE_SHARE = 0.04;

/** The attributes of all events of a seed. */
export function attributesOf(seed: number, options: AttributeOptions): EventAttributes {
  const machines = machinesOf(seed, options.agents);
  const files = filePoolOf(seed);
  const type = (index: number): EventType => {
    const drawn = unit(seed, index, SALT.type);
    for (const [name, upTo] of TYPES) if (drawn < upTo) return name;
    return 'MUTEX';
  };
  const vintage = (index: number): Vintage => (unit(seed, index, SALT.vintage) < options.edrShare ? 'edr' : 'ioc');
  const numberOf = (index: number) => machineNumber(seed, index, machines.length, SALT.machine);
  const machine = (index: number) => machines[numberOf(index)] as Machine;
  const isMalicious = (index: number) =>
    unit(seed, index, SALT.malicious) < (machine(index).infected ? MALICIOUS_SHARE.infected : MALICIOUS_SHARE.clean);
  const file = (index: number): KnownFile => {
    const drawn = unit(seed, index, SALT.file);
    if (isMalicious(index)) return files.malware(drawn);
    if (unit(seed, index, SALT.single) < SINGLE_FILE_SHARE) return files.singleFile(index);
    return files.harmless(drawn * drawn);
  };
  const family = (index: number) =>
    isMalicious(index) ? (file(index).family ?? pick(FAMILIES, numberOf(index))) : null;
  return {
    seed,
    customerId: options.customerId,
    machines,
    files,
    type,
    vintage,
    machineNumber: numberOf,
    machine,
    action: (index) => pick(ACTIONS[type(index)], draw(seed, index, SALT.action)),
    isCurrent: (index) => draw(seed, index, SALT.current) % 10 < 3,
    hasNullId: (index) => options.nullIdShare > 0 && unit(seed, index, SALT.nullId) < options.nullIdShare,
    unknownPart: (index) =>
      options.unknownFieldShare > 0 && unit(seed, index, SALT.unknown) < options.unknownFieldShare
        ? pick(UNKNOWN_PARTS, draw(seed, index, SALT.unknownPart))
        : null,
    isMalicious,
    score(index, revision) {
      const drawn = draw(seed, index, SALT.score);
      const first = isMalicious(index) ? 6 + (drawn % 5) : drawn % 100 === 0 ? 3 + (drawn % 3) : 0;
      return (first + 3 * revision) % 11;
    },
    family,
    file,
    certificateCount: (index) =>
      type(index) === 'FILE' && vintage(index) === 'edr' ? file(index).certificates.length : 0,
    indicatorCounts(index) {
      if (vintage(index) === 'ioc') return { first: 0, second: 0 };
      const drawn = draw(seed, index, SALT.indicators);
      const malicious = isMalicious(index);
      const byHash = type(index) === 'FILE' || type(index) === 'PROCESS';
      const second = malicious ? 1 + (drawn % 2) : byHash && drawn % 16 !== 0 ? 1 : 0;
      return { first: drawn % 32 === 1 ? 1 : 0, second };
    },
    interfaceCount: (index) =>
      vintage(index) === 'ioc' || numberOf(index) % 4 === 0 ? machine(index).interfaces.length : 0,
    tagCount: (index) => (vintage(index) === 'edr' && numberOf(index) % 2 === 0 ? machine(index).tags.length : 0),
  };
}

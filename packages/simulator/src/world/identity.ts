import type { EventAttributes } from './attributes.ts';
import { draw, scramble, unscramble, uuidText } from './hash.ts';
import type { Population } from './population.ts';
import { shortDate } from './time-text.ts';

/** Ids of events in every form of the API, and the index of an id. */
export interface Identities {
  /** The id in a list, unique among all events; null where the record has none. */
  id(index: number): string | null;
  /** The id, even if the record does not show it. */
  ownId(index: number): string;
  /** `F_<uuid>_<d-M-yyyy>`: the `timeSeriesId` of IOC 2.3, and in details `id`. */
  seriesId(index: number): string;
  /** A signed 64-bit number as text, unique among all events. */
  rowId(index: number): string;
  pid(index: number): number;
  /** The event with this id or time-series id, or null. Computed from the id alone. */
  indexOf(id: string): number | null;
}

const SALT = { form: 40, sign: 41, head: 42, series: 43, pid: 50 } as const;
const PREFIXES = {
  ioc: { FILE: 'F', PROCESS: 'P', NETWORK: 'N', REGISTRY: 'R', MUTEX: 'M' },
  edr: { FILE: 'RTF', PROCESS: 'RTP', NETWORK: 'N', REGISTRY: 'RTR', MUTEX: 'M' },
} as const;
/** Of a thousand ids: the time-series ids, and the ids with characters that are unexpected in an id. */
const SERIES_PER_MILLE = 20;
const ODD_PER_MILLE = 4;
const ODD_TAILS = ['/1?x=ä&y=%2F', ' (copy) #2', '+plus;semi,comma', '_"quoted"\\'] as const;

/** The ids of a population's events. */
export function identitiesOf(attributes: EventAttributes, population: Population): Identities {
  const { seed } = attributes;
  const rowId = (index: number) => {
    const sign = draw(seed, index, SALT.sign) % 2 === 0 ? '' : '-';
    const head = 100_000_000 + (draw(seed, index, SALT.head) % 800_000_000);
    return `${sign}${head}${String(scramble(index)).padStart(10, '0')}`;
  };
  const pid = (index: number) => 4 * (1 + (draw(seed, index, SALT.pid) % 8000));
  const seriesId = (index: number) =>
    `F_${uuidText(seed, index, SALT.series, scramble(index))}_${shortDate(population.timeOf(index))}`;
  const ownId = (index: number) => {
    const form = draw(seed, index, SALT.form) % 1000;
    if (form < SERIES_PER_MILLE) return seriesId(index);
    const type = attributes.type(index);
    const plain = `${PREFIXES[attributes.vintage(index)][type]}_${attributes.machine(index).agentId}_${rowId(index)}`;
    if (form < SERIES_PER_MILLE + ODD_PER_MILLE) return plain + ODD_TAILS[form % ODD_TAILS.length];
    return type === 'PROCESS' ? `${plain}_${pid(index)}` : plain;
  };
  return {
    id: (index) => (attributes.hasNullId(index) ? null : ownId(index)),
    ownId,
    seriesId,
    rowId,
    pid,
    indexOf(id) {
      for (const scrambled of scrambledParts(id)) {
        const index = unscramble(scrambled);
        if (index < population.size && (ownId(index) === id || seriesId(index) === id)) return index;
      }
      return null;
    },
  };
}

/** The numbers in an id that may be a scrambled index: the end of a 64-bit number or of a UUID. */
function scrambledParts(id: string): number[] {
  const numbers = [...id.matchAll(/\d{9}(\d{10})(?!\d)/g)].map((match) => Number(match[1]));
  const uuids = [...id.matchAll(/-[0-9a-f]{4}([0-9a-f]{8})(?![0-9a-f])/g)].map((match) =>
    Number.parseInt(match[1] ?? '', 16),
  );
  return [...numbers, ...uuids].filter((value) => value <= 0xffff_ffff);
}

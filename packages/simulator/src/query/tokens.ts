import { programOf } from '../records/actors.ts';
import { verdictOf } from '../records/indicators.ts';
import { type EventWorld, mutexNameOf, networkOf, registryKeyOf, subjectOf } from '../records/render-list.ts';
import type { Axis } from '../world/population.ts';

/** How the platform spells the two time tokens; `event-time-only`: an old platform without the processing time. */
export type TimeTokens = 'old' | 'new' | 'both' | 'event-time-only';

/** The value of a token for an event: text, a number, or null where the event has none. */
export type TokenValue = (index: number) => string | number | null;

/** A name usable in filters, groups and sorting. */
export type Token =
  | { readonly kind: 'time'; readonly axis: Axis }
  | { readonly kind: 'text' | 'number'; readonly value: TokenValue };

/** Finds tokens by name; null for a name the platform does not know. */
export interface TokenTable {
  /** In a filter. Time tokens must be spelled as the platform spells them; the others are not case-sensitive. */
  inFilter(name: string): Token | null;
  /** In `groupBy` and `sort`, where plain field names are understood as well. */
  asField(name: string): Token | null;
}

const EVENT_TIME_FIELDS = new Set(['datetime', 'event.datetime']);
const PROCESSED_TIME_FIELDS = new Set([
  'eventprocessedtime',
  'event.eventprocessedtime',
  'event.eventprocesstime',
  'eventprocesstime',
]);

/** The tokens of a platform. */
export function tokenTable(world: EventWorld, spelling: TimeTokens): TokenTable {
  const named = namedTokens(world);
  const times = timeTokens(spelling);
  return {
    inFilter: (name) => times.get(name) ?? named.get(name.toLowerCase()) ?? null,
    asField(name) {
      const lower = name.toLowerCase();
      if (EVENT_TIME_FIELDS.has(lower)) return { kind: 'time', axis: 'event' };
      if (PROCESSED_TIME_FIELDS.has(lower)) {
        return spelling === 'event-time-only' ? null : { kind: 'time', axis: 'processed' };
      }
      return named.get(lower) ?? null;
    },
  };
}

/** The tokens of the FIM module: times are spelled as in its records. It knows fewer fields than the table offers. */
export function fimTokenTable(world: EventWorld): TokenTable {
  const { inFilter } = tokenTable(world, 'old');
  const times = new Map<string, Token>([
    ['dateTime', { kind: 'time', axis: 'event' }],
    ['processedTime', { kind: 'time', axis: 'processed' }],
  ]);
  const find = (name: string) => times.get(name) ?? (name.startsWith('event.') ? null : inFilter(name));
  return { inFilter: find, asField: find };
}

function timeTokens(spelling: TimeTokens): ReadonlyMap<string, Token> {
  const tokens = new Map<string, Token>();
  if (spelling !== 'new') tokens.set('event.dateTime', { kind: 'time', axis: 'event' });
  if (spelling === 'new' || spelling === 'both') tokens.set('event.datetime', { kind: 'time', axis: 'event' });
  if (spelling === 'old' || spelling === 'both') {
    tokens.set('event.eventProcessedTime', { kind: 'time', axis: 'processed' });
  }
  if (spelling === 'new' || spelling === 'both') {
    tokens.set('event.eventprocesstime', { kind: 'time', axis: 'processed' });
  }
  return tokens;
}

function namedTokens(world: EventWorld): ReadonlyMap<string, Token> {
  const { attributes, population, identities } = world;
  const { seed } = attributes;
  const text = (value: TokenValue): Token => ({ kind: 'text', value });
  const number = (value: TokenValue): Token => ({ kind: 'number', value });
  const when =
    (type: string, value: TokenValue): TokenValue =>
    (index) =>
      attributes.type(index) === type ? value(index) : null;
  const hasFile = (index: number) => attributes.type(index) === 'FILE' || attributes.type(index) === 'PROCESS';
  const hasIndicator = (index: number) => {
    const { first, second } = attributes.indicatorCounts(index);
    return first + second > 0;
  };
  const agent = text((index) => attributes.machine(index).agentId);
  const id = text((index) => identities.id(index));
  const scored = (index: number) =>
    attributes.vintage(index) === 'edr' || population.revisionOf(index) > 0
      ? attributes.score(index, population.revisionOf(index))
      : null;
  const file = (value: TokenValue): TokenValue => when('FILE', value);
  const path = (index: number) => `${attributes.file(index).directory}\\${attributes.file(index).name}`;
  return new Map<string, Token>([
    ['type', text(attributes.type)],
    ['action', text(attributes.action)],
    ['id', id],
    ['_id', id],
    ['event.id', id],
    ['score', number(scored)],
    ['indicator.score', number((index) => (hasIndicator(index) ? scored(index) : null))],
    ['indicator.familyname', text((index) => (hasIndicator(index) ? attributes.family(index) : null))],
    [
      'indicator.verdict',
      text((index) => (hasIndicator(index) ? verdictOf(attributes, index, population.revisionOf(index)) : null)),
    ],
    ['agentid', agent],
    ['asset.agentid', agent],
    ['hostname', text((index) => attributes.machine(index).hostName)],
    ['asset.hostname', text((index) => attributes.machine(index).hostName)],
    ['asset.netbiosname', text((index) => attributes.machine(index).netBiosName)],
    ['platform', text((index) => attributes.machine(index).platform)],
    ['asset.platform', text((index) => attributes.machine(index).platform)],
    ['file.name', text(file((index) => attributes.file(index).name))],
    ['file.path', text(file((index) => attributes.file(index).directory))],
    ['file.fullpath', text(file(path))],
    ['file.extension', text(file((index) => attributes.file(index).extension))],
    ['file.hash.md5', text((index) => (hasFile(index) ? attributes.file(index).md5 : null))],
    ['file.hash.sha256', text((index) => (hasFile(index) ? attributes.file(index).sha256 : null))],
    ['process.name', text(when('PROCESS', (index) => subjectOf(seed, index).processName))],
    ['process.pid', number(when('PROCESS', identities.pid))],
    [
      'actor.processname',
      text((index) => (attributes.vintage(index) === 'edr' ? programOf(seed, index).processName : null)),
    ],
    ['network.remote.address.ip', text(when('NETWORK', (index) => networkOf(seed, index).remoteIp))],
    ['network.remote.address.fqdn', text(when('NETWORK', (index) => networkOf(seed, index).remoteDns))],
    ['network.local.address.ip', text(when('NETWORK', (index) => networkOf(seed, index).localIp))],
    ['registry.key', text(when('REGISTRY', (index) => registryKeyOf(seed, index)))],
    ['handle.name', text(when('MUTEX', (index) => mutexNameOf(seed, index)))],
  ]);
}

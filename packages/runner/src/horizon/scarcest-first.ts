import { MS_PER_DAY, type PlannedWindow } from '@edrlake/core';
import { requestsOf } from '@edrlake/pager';

/** What decides which windows are asked for first. */
export interface Scarcity {
  /** How long after an event the API answers for it; null: not known. */
  readonly retentionMs: number | null;
  readonly nowMs: number;
  readonly pageSize: number;
  /** Requests that can be spent in a day, of this run and of those that follow it; Infinity: as many as are needed. */
  readonly requestsPerDay: number;
}

/** A window, what it costs, and until when. */
interface Wanted {
  readonly planned: PlannedWindow;
  readonly requests: number;
  /** When its events begin to be lost, or where that has begun, when the last of them is. */
  readonly lostMs: number;
  /** Events for a request. */
  readonly worth: number;
}

/**
 * Windows in the order in which they are asked for. Without a known retention the newest first. With one, what will be
 * lost first, as far as the requests reach: where not everything can be saved in time, the windows with the fewest
 * events for a request give way. They come after all others, the most worth first, and what is lost already at the end.
 */
export function scarcestFirst(windows: readonly PlannedWindow[], about: Scarcity): readonly PlannedWindow[] {
  const { retentionMs, nowMs, pageSize, requestsPerDay } = about;
  if (retentionMs === null) return newestFirst(windows);
  const isGone = ({ window }: PlannedWindow) => window.range.endMs + retentionMs <= nowMs;
  const wanted = windows
    .filter((planned) => !isGone(planned))
    .map((planned): Wanted => {
      const { startMs, endMs } = planned.window.range;
      const requests = requestsOf(planned.count, pageSize);
      const beginsMs = startMs + retentionMs;
      const lostMs = beginsMs > nowMs ? beginsMs : endMs + retentionMs;
      return { planned, requests, lostMs, worth: planned.count / requests };
    })
    .sort((a, b) => a.lostMs - b.lostMs || b.worth - a.worth);
  const saved = worthSaving(wanted, (lostMs) => ((lostMs - nowMs) / MS_PER_DAY) * requestsPerDay);
  const given = wanted.filter((each) => !saved.has(each)).sort((a, b) => b.worth - a.worth);
  const ordered = [...wanted.filter((each) => saved.has(each)), ...given].map(({ planned }) => planned);
  return [...ordered, ...newestFirst(windows.filter(isGone))];
}

/**
 * Chooses by going through the deadlines: whenever what is chosen needs more requests than there are until then, the
 * least worth gives way (Moore and Hodgson, with weights).
 * @param wanted the earliest deadline first
 * @param requestsUntil how many can be made until an instant
 */
function worthSaving(wanted: readonly Wanted[], requestsUntil: (lostMs: number) => number): ReadonlySet<Wanted> {
  const chosen = leastFirst<Wanted>((each) => each.worth);
  let requests = 0;
  for (const each of wanted) {
    chosen.add(each);
    requests += each.requests;
    for (const most = requestsUntil(each.lostMs); requests > most; ) {
      const least = chosen.takeLeast();
      if (least === undefined) break;
      requests -= least.requests;
    }
  }
  return new Set(chosen.all());
}

/** A binary heap. */
function leastFirst<T>(worthOf: (item: T) => number) {
  const items: { readonly item: T; readonly value: number }[] = [];
  const valueAt = (place: number) => items[place]?.value ?? Number.POSITIVE_INFINITY;
  const swap = (a: number, b: number) => {
    const [first, second] = [items[a], items[b]];
    if (first === undefined || second === undefined) return;
    [items[a], items[b]] = [second, first];
  };
  return {
    add(item: T) {
      items.push({ item, value: worthOf(item) });
      for (let at = items.length - 1; at > 0; ) {
        const parent = (at - 1) >> 1;
        if (valueAt(parent) <= valueAt(at)) return;
        swap(at, parent);
        at = parent;
      }
    },
    takeLeast(): T | undefined {
      const least = items[0];
      const last = items.pop();
      if (least === undefined || last === undefined || items.length === 0) return least?.item;
      items[0] = last;
      for (let at = 0; ; ) {
        const child = valueAt(2 * at + 2) < valueAt(2 * at + 1) ? 2 * at + 2 : 2 * at + 1;
        if (valueAt(child) >= valueAt(at)) return least.item;
        swap(at, child);
        at = child;
      }
    },
    all: (): readonly T[] => items.map(({ item }) => item),
  };
}

function newestFirst(windows: readonly PlannedWindow[]): readonly PlannedWindow[] {
  return windows.toSorted((a, b) => b.window.range.startMs - a.window.range.startMs);
}

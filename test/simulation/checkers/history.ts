import type { TimeRange } from '@edrlake/core';
import type { Addition, Simulator } from '@edrlake/simulator';

/** One record of the gateway, with the times of its states. */
export interface KnownEvent {
  readonly index: number;
  /** null: a record that can only become a reject. */
  readonly id: string | null;
  readonly eventMs: number;
  /** Visible from this instant of the gateway's clock on. */
  readonly visibleMs: number;
  /** When it was processed, first and by each revision: `atMs` is when the gateway began to report it. */
  readonly processed: { readonly atMs: number; readonly processedMs: number }[];
  readonly type: string;
}

type Axis = 'event' | 'processed';

/**
 * Everything that the gateway ever had, by its own clock: the truth at any moment. Independent of the code that
 * answers.
 */
export class History {
  readonly events: KnownEvent[] = [];
  private readonly simulator: Simulator;
  private readonly nowMs: () => number;
  private frozenAtMs = Number.POSITIVE_INFINITY;

  constructor(simulator: Simulator, baseEvents: number, nowMs: () => number) {
    this.simulator = simulator;
    this.nowMs = nowMs;
    for (let index = 0; index < baseEvents; index += 1) this.learn(index, Number.NEGATIVE_INFINITY);
  }

  /** Nothing new becomes visible from now on. */
  freeze(): void {
    this.frozenAtMs = this.nowMs();
  }

  /** Adds a record that the gateway does not show, next to the first one that it does. */
  invent(): void {
    const [model] = this.events;
    if (model !== undefined) this.events.push({ ...model, id: 'invented', visibleMs: Number.NEGATIVE_INFINITY });
  }

  add(addition: Addition): void {
    for (const index of this.simulator.addEvents(addition)) this.learn(index, this.nowMs());
  }

  /** Changes the content of some visible events; they count as processed now. */
  revise(nths: readonly number[]): void {
    const atMs = this.nowMs();
    const visible = this.events.filter((event) => this.isVisible(event, atMs));
    const chosen = [...new Set(nths.map((nth) => visible[nth % Math.max(1, visible.length)]))];
    for (const event of chosen) {
      if (event === undefined) continue;
      this.simulator.reviseEvents([event.index], atMs);
      event.processed.push({ atMs, processedMs: atMs });
    }
  }

  /** Records that were in a range, by an axis, during a whole interval of the gateway's time. */
  throughout(axis: Axis, range: TimeRange, fromMs: number, toMs: number): KnownEvent[] {
    return this.events.filter(
      (event) =>
        this.isVisible(event, fromMs) &&
        !event.processed.some(({ atMs }) => atMs >= fromMs && atMs <= toMs && atMs > event.visibleMs) &&
        isIn(range, timeAt(event, axis, fromMs)),
    );
  }

  /** Records that were there at some moment of the interval. */
  sometime(axis: Axis, range: TimeRange, fromMs: number, toMs: number): KnownEvent[] {
    return this.events.filter(
      (event) =>
        this.isVisible(event, toMs) &&
        [fromMs, ...event.processed.map(({ atMs }) => atMs).filter((atMs) => atMs > fromMs && atMs <= toMs)].some(
          (atMs) => isIn(range, timeAt(event, axis, atMs)),
        ),
    );
  }

  /** Records that are visible at an instant. */
  visibleAt(atMs: number): KnownEvent[] {
    return this.events.filter((event) => this.isVisible(event, atMs));
  }

  private isVisible({ visibleMs }: KnownEvent, atMs: number): boolean {
    return visibleMs <= Math.min(atMs, this.frozenAtMs);
  }

  private learn(index: number, addedAtMs: number): void {
    const { id, dateTime, eventProcessedTime, type } = this.simulator.truth.event(index);
    const processedMs = instantMs(eventProcessedTime);
    const visibleMs = Math.max(processedMs, addedAtMs);
    this.events.push({
      index,
      id: typeof id === 'string' ? id : null,
      eventMs: instantMs(dateTime),
      visibleMs,
      processed: [{ atMs: Number.NEGATIVE_INFINITY, processedMs }],
      type: String(type),
    });
  }
}

/** When a record was processed, as known at an instant. */
export function processedAt(event: KnownEvent, atMs: number): number {
  return event.processed.findLast((change) => change.atMs <= atMs)?.processedMs ?? Number.NaN;
}

function timeAt(event: KnownEvent, axis: Axis, atMs: number): number {
  return axis === 'event' ? event.eventMs : processedAt(event, atMs);
}

function isIn(range: TimeRange, ms: number): boolean {
  return ms >= range.startMs && ms < range.endMs;
}

function instantMs(text: unknown): number {
  return Date.parse(String(text).replace(/\+0000$/, 'Z'));
}

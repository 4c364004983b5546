import { type Indicator, type IndicatorKind, indicatorOf, recognise } from './indicator.ts';

/** A part of a list that is no indicator. */
export interface IndicatorFault {
  /** `line 7`, or `objects[3]` of a document. */
  readonly place: string;
  /** The text, cut. */
  readonly found: string;
  readonly problem: string;
}

/** What was read from a list. */
export interface IndicatorList {
  readonly format: 'text' | 'csv' | 'stix' | 'misp' | 'openioc' | 'json';
  /** In the order of the list, each once. */
  readonly indicators: readonly Indicator[];
  readonly faults: readonly IndicatorFault[];
}

/** Collects what a list names. */
export interface ListBuilder {
  /** @param kind null: recognised by its form */
  add(text: string, kind: IndicatorKind | null, place: string): void;
  fault(place: string, found: string, problem: string): void;
  readonly indicators: readonly Indicator[];
  readonly faults: readonly IndicatorFault[];
}

const SHOWN_CHARACTERS = 60;

/** An empty list. */
export function listBuilder(): ListBuilder {
  const indicators = new Map<string, Indicator>();
  const faults: IndicatorFault[] = [];
  const fault = (place: string, found: string, problem: string) => {
    const shown = found.length > SHOWN_CHARACTERS ? `${found.slice(0, SHOWN_CHARACTERS)}…` : found;
    faults.push({ place, found: shown, problem });
  };
  return {
    get indicators() {
      return [...indicators.values()];
    },
    faults,
    fault,
    add: (text, kind, place) => {
      const indicator = kind === null ? recognise(text) : indicatorOf(kind, text);
      if (indicator === null) {
        fault(place, text, kind === null ? 'no hash, address, domain, file, path or host' : `no ${kind}`);
        return;
      }
      const key = JSON.stringify(indicator.sought);
      if (!indicators.has(key)) indicators.set(key, indicator);
    },
  };
}

import { isoInstant } from '@edrlake/core';
import type { QuietFinding } from './find-quiet.ts';

/** A finding as JSON: `since` of a silent source, `day` and `events` of a quiet day; null type or platform: all. */
export interface QuietLine {
  readonly kind: 'silent' | 'low';
  readonly type: string | null;
  readonly platform: string | null;
  readonly since: string | null;
  readonly day: string | null;
  readonly events: number;
  readonly expected: number;
}

/** A finding as plain data with instants as text. */
export function quietLine(finding: QuietFinding): QuietLine {
  const { kind, source, expected } = finding;
  const about = { kind, type: source.type, platform: source.platform };
  if (finding.kind === 'silent')
    return { ...about, since: isoInstant(finding.sinceMs), day: null, events: 0, expected };
  return { ...about, since: null, day: finding.day, events: finding.events, expected };
}

import { posix } from 'node:path';
import type { Dataset, Day } from '@edrlake/core';
import { type ClassFacts, plainName } from '../schema/classes.ts';

/** Where files go: as a Security Lake custom source, or by class and day. */
export const OCSF_LAYOUTS = ['plain', 'security-lake'] as const;

/** One of them. */
export type OcsfLayout = (typeof OCSF_LAYOUTS)[number];

/** What decides about names of folders; the same for all of one target. */
export interface LayoutChoice {
  readonly layout: OcsfLayout;
  /** null in the plain layout. */
  readonly region: string | null;
  /** For all files; null to take it from the events. */
  readonly accountId: string | null;
}

/** Folders of the target that hold no events. */
export const STATE_FOLDER = '_edrlake';

/** The name of the source that a class is delivered as: each class is a source of its own. */
export function sourceName(dataset: Dataset, facts: ClassFacts): string {
  return `${dataset.name.replaceAll('-', '_')}_${plainName(facts)}`;
}

/**
 * The account of some events in the names of folders. `external_` keeps it apart from account numbers of the cloud.
 * @param customer null where the events do not say it
 */
export function accountName({ accountId }: LayoutChoice, customer: string | null): string {
  return accountId ?? `external_${customer === null ? 'unknown' : encodeURIComponent(customer)}`;
}

/** The folder of the files of one class, account and day, relative to the target, with forward slashes. */
export function dayFolder(
  choice: LayoutChoice,
  { source, account, day }: { readonly source: string; readonly account: string; readonly day: Day },
): string {
  const eventDay = `eventDay=${day.replaceAll('-', '')}`;
  if (choice.layout === 'plain') return posix.join(source, `accountId=${account}`, eventDay);
  return posix.join('ext', source, `region=${choice.region}`, `accountId=${account}`, eventDay);
}

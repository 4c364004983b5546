import { countText, instantText, nounText, sum } from '@edrlake/core';
import type { LakeStatus } from '@edrlake/runner/history';
import { tableText } from '../text/table-text.ts';

/** What the status of one subscription came to. */
export interface SubscriptionStatus {
  readonly subscription: string;
  readonly exitCode: number;
  /** null where its lake could not be read. */
  readonly status: LakeStatus | null;
  /** The code of the error that kept it from being read; null for none. */
  readonly errorCode: string | null;
  readonly isStale: boolean;
}

/** What makes a subscription worse than another, the worst first; each is 0 where it is well. */
function faultsOf({ status, errorCode, isStale }: SubscriptionStatus): readonly number[] {
  const { mismatched = 0, missing = 0, rejected = 0 } = status?.calendar.counts ?? {};
  const hasFailed = status?.lastRun?.state === 'failed';
  const isEmpty = status !== null && status.version === 0;
  return [
    errorCode === null ? 0 : 1,
    (status?.lostFiles.length ?? 0) + mismatched + missing,
    Number(isStale),
    Number(hasFailed),
    rejected,
    Number(isEmpty),
    Number(status !== null && status.deprecation !== null),
  ];
}

/** The worst first: what cannot be read, what is not to be relied on, what is late; of equals the one that is older. */
export function worstFirst(statuses: readonly SubscriptionStatus[]): SubscriptionStatus[] {
  return [...statuses].sort((a, b) => {
    const [ofA, ofB] = [faultsOf(a), faultsOf(b)];
    const differing = ofA.findIndex((fault, place) => fault !== ofB[place]);
    if (differing >= 0) return (ofB[differing] ?? 0) - (ofA[differing] ?? 0);
    const age = (each: SubscriptionStatus) => each.status?.freshUntilMs ?? Number.NEGATIVE_INFINITY;
    return age(a) === age(b) ? 0 : age(a) < age(b) ? -1 : 1;
  });
}

/** One line for each, the worst first; `left` are the requests that may be made now. */
export function subscriptionsText(statuses: readonly SubscriptionStatus[], width: number | null): string {
  const columns = [
    { title: 'subscription', isWhole: true },
    { title: 'state', isWhole: true },
    { title: 'proven until', isWhole: true },
    { title: 'last run' },
    { title: 'events', align: 'right' as const },
    { title: 'left', align: 'right' as const },
  ];
  const rows = worstFirst(statuses).map((each) => {
    const { subscription, status } = each;
    const freshMs = status?.freshUntilMs ?? null;
    const events = status?.tables.filter(({ table }) => table === 'events') ?? [];
    return [
      subscription,
      stateText(each),
      freshMs === null ? '' : instantText(Math.floor(freshMs / 1_000) * 1_000),
      status?.lastRun ? `${status.lastRun.pipeline ?? 'export'} ${status.lastRun.state}` : '',
      status === null ? '' : countText(sum(events, ({ rows }) => rows)),
      status?.budget ? countText(status.budget.requestsLeft) : '',
    ];
  });
  return `${tableText(columns, rows, width)}\n`;
}

/** The worst that can be said of it. */
function stateText({ status, errorCode, isStale }: SubscriptionStatus): string {
  if (status === null) return errorCode === 'LAKE_MISSING' ? 'no lake' : (errorCode ?? '');
  const { mismatched, missing, rejected } = status.calendar.counts;
  if (status.lostFiles.length > 0) return nounText(status.lostFiles.length, 'lost file');
  if (mismatched > 0) return `${nounText(mismatched, 'day')} mismatched`;
  if (missing > 0) return `${nounText(missing, 'day')} missing`;
  if (isStale) return 'stale';
  if (status.lastRun?.state === 'failed') return 'last run failed';
  if (rejected > 0) return `${nounText(rejected, 'day')} rejected`;
  if (status.version === 0) return 'empty';
  return status.deprecation === null ? 'well' : 'API will end';
}

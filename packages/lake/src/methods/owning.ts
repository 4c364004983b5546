import { EdrlakeError, isSameCustomer } from '@edrlake/core';
import { refuseOtherSubscription, refuseOtherTenant } from '../commit/owner.ts';
import type { CommitTools, WantedOwner } from '../log/commit-context.ts';
import type { LoggedOwner } from '../log/lake-state.ts';

/** Whose a lake is. */
export interface Owned {
  /** The customer whose events it may hold, as it has recorded it or as it was opened for; null while unknown. */
  expectedCustomer(): string | null;
  /** @throws {EdrlakeError} `CUSTOMER_FOREIGN` for a login of another tenant than the one of the lake */
  refuseTenant(tenant: string | null): void;
}

/** The questions about its owner; both look at the state as it was last read. */
export function owning({ log, owner, store }: Pick<CommitTools, 'log' | 'owner' | 'store'>): Owned {
  return {
    expectedCustomer: () => log.known().owner?.customerId ?? owner?.customerId ?? null,
    refuseTenant: (tenant) => {
      const known = log.known().owner;
      if (known !== null) refuseOtherTenant(known, tenant, store.address);
    },
  };
}

/**
 * Refuses to open a lake for another subscription.
 * @param markedFor the subscription in the marker of the lake, if any
 * @throws {EdrlakeError} `LAKE_OTHER_SUBSCRIPTION`
 */
export function refuseOwner(
  markedFor: unknown,
  known: LoggedOwner | null,
  wanted: WantedOwner | undefined,
  address: string,
): void {
  if (wanted === undefined) return;
  for (const recorded of [markedFor, known?.subscription]) {
    refuseOtherSubscription(recorded, wanted.subscription, address);
  }
  const { customerId } = wanted;
  const heldFor = known?.customerId ?? null;
  if (customerId === null || heldFor === null || isSameCustomer(customerId, heldFor)) return;
  throw new EdrlakeError(
    'LAKE_OTHER_SUBSCRIPTION',
    `the lake at ${address} holds events of the customer ${heldFor}, the configuration says ${customerId}`,
    { context: { address }, hint: 'Correct customerId of the subscription, or its lake.' },
  );
}

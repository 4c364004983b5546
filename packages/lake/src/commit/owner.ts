import { EdrlakeError, isSameCustomer } from '@edrlake/core';
import type { CommitTools } from '../log/commit-context.ts';
import type { LakeState, LoggedOwner } from '../log/lake-state.ts';
import type { CommitEngine } from './engine.ts';

/**
 * The owner that a commit records, or null where the log says it already. Called for each attempt, with the state that
 * the commit will follow: of two first commits of different owners one loses the race, and is refused here.
 * @throws {EdrlakeError} `LAKE_OTHER_SUBSCRIPTION`, `CUSTOMER_FOREIGN`; nothing is committed then
 */
export async function ownerToRecord(
  { owner: wanted, customerColumn, store }: CommitTools,
  engine: CommitEngine,
  state: LakeState,
): Promise<LoggedOwner | null> {
  const known = state.owner;
  if (wanted === null && known === null) return null;
  if (wanted !== null) refuseOtherSubscription(known?.subscription, wanted.subscription, store.address);
  const tenant = wanted?.tenant() ?? null;
  if (known !== null) refuseOtherTenant(known, tenant, store.address);
  const delivered = customerColumn === null ? [] : await engine.customers(customerColumn);
  const expected = known?.customerId ?? wanted?.customerId ?? null;
  const foreign = expected === null ? undefined : delivered.find((id) => !isSameCustomer(id, expected));
  if (foreign !== undefined) throw foreignEvents(foreign, expected ?? '', store.address);
  // Without a subscription a run takes no lake, and gives none away.
  if (wanted === null) return null;
  let customerId = known?.customerId ?? null;
  if (customerId === null && delivered[0] !== undefined && customerColumn !== null) {
    // A lake of before it had an owner may hold the events of another customer.
    const stored = known === null ? await engine.storedCustomers(state, customerColumn) : [];
    const other = [...stored, ...delivered].find((id) => !isSameCustomer(id, delivered[0] ?? ''));
    if (other !== undefined) throw foreignEvents(delivered[0], other, store.address);
    customerId = delivered[0];
  }
  const owner = { subscription: wanted.subscription, customerId, tenant: known?.tenant ?? tenant };
  return JSON.stringify(owner) === JSON.stringify(known) ? null : owner;
}

/**
 * @param recorded what the lake says, if anything
 * @param wanted for which it is opened
 * @throws {EdrlakeError} `LAKE_OTHER_SUBSCRIPTION`
 */
export function refuseOtherSubscription(recorded: unknown, wanted: string, address: string): void {
  if (recorded === undefined || recorded === wanted) return;
  throw new EdrlakeError(
    'LAKE_OTHER_SUBSCRIPTION',
    `the lake at ${address} belongs to the subscription ${String(recorded)}, expected ${wanted}`,
    {
      context: { address },
      hint: 'Give each subscription a lake of its own. One that was renamed keeps its lake with its old name.',
    },
  );
}

/**
 * @param tenant of the login; null where it does not say one
 * @throws {EdrlakeError} `CUSTOMER_FOREIGN` for an account of another tenant
 */
export function refuseOtherTenant(known: LoggedOwner, tenant: string | null, address: string): void {
  if (known.tenant === null || tenant === null || isSameCustomer(known.tenant, tenant)) return;
  throw new EdrlakeError(
    'CUSTOMER_FOREIGN',
    `the account belongs to the customer ${tenant}, the lake at ${address} to ${known.tenant}`,
    {
      context: { address, found: tenant, expected: known.tenant },
      hint: `No event was asked for. Check the account of the subscription${known.subscription === null ? '' : ` ${known.subscription}`}.`,
    },
  );
}

function foreignEvents(found: string, expected: string, address: string): EdrlakeError {
  return new EdrlakeError(
    'CUSTOMER_FOREIGN',
    `the API answers with events of the customer ${found}, the lake at ${address} holds those of ${expected}`,
    {
      context: { address, found, expected },
      hint: 'Nothing of this answer was stored. Check the account of the subscription, and its lake.',
    },
  );
}

import type { Lake, WantedOwner } from '@edrlake/lake';

/** Keeps an account from working on a lake of another customer. */
export interface TenantGate {
  /** For the connection: ends its first request where the login is another customer's. */
  readonly onLogin: (tenant: string | null) => void;
  /** For `openLake`. */
  readonly lakeOptions: { readonly owner?: WantedOwner };
  /** Call it with the lake as soon as it is open. @throws {EdrlakeError} `CUSTOMER_FOREIGN` */
  guard(lake: Pick<Lake, 'refuseTenant'>): void;
}

/**
 * The gate between a connection and a lake; either may be opened first.
 * @param owner the subscription that the lake is opened for; null for none
 */
export function tenantGate(owner: Omit<WantedOwner, 'tenant'> | null): TenantGate {
  let tenant: string | null = null;
  let guarded: Pick<Lake, 'refuseTenant'> | null = null;
  return {
    onLogin: (found) => {
      tenant = found ?? tenant;
      guarded?.refuseTenant(found);
    },
    lakeOptions: owner === null ? {} : { owner: { ...owner, tenant: () => tenant } },
    guard: (lake) => {
      guarded = lake;
      lake.refuseTenant(tenant);
    },
  };
}

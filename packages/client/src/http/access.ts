/**
 * Which requests the gateway has answered so far. It distinguishes a refused account from a refused request: once a
 * data request has been answered, a single 401 or 403 comes from a firewall, a proxy or one node of the gateway.
 */
export interface Access {
  /** Whether any data request has been answered: until then a refused account and a refused request look the same. */
  hasAnswered(): boolean;
  /** Whether a data request has been answered since the last time that the account as a whole was refused. */
  isGranted(): boolean;
  /** Records that a data request was answered. */
  granted(): void;
  /** Records that a data request was finally refused with 401, although its token was fresh. */
  refused(): void;
}

/** Requests refused in a row with fresh tokens before the account itself counts as refused. */
const MAX_REFUSED_IN_A_ROW = 5;

/** One for each client. */
export function createAccess(): Access {
  let hasAnswered = false;
  let refusedInARow = 0;
  return {
    hasAnswered: () => hasAnswered,
    isGranted: () => hasAnswered && refusedInARow < MAX_REFUSED_IN_A_ROW,
    granted() {
      hasAnswered = true;
      refusedInARow = 0;
    },
    refused() {
      refusedInARow++;
    },
  };
}

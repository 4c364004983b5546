/** Lower case and without underscores: no two names share a folder or a variable. */
const NAME = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/** What the name of a subscription may be, in words that follow "expected". */
export const SUBSCRIPTION_NAME_EXPECTED = 'a name of lower-case letters, digits and hyphens other than "all"';

/** Whether a subscription may have this name. */
export function isSubscriptionName(name: string): boolean {
  return NAME.test(name) && name !== 'all';
}

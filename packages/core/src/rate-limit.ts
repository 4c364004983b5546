/** A number of requests in any interval of the given length: a sliding window. */
export interface RateLimit {
  readonly requests: number;
  readonly windowSeconds: number;
}

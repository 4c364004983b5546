/** Which endpoint a request went to. */
export type Endpoint = 'auth' | 'events' | 'count' | 'detail' | 'search-after' | 'time-buckets' | 'unknown';

/** One request as the gateway saw it. */
export interface Call {
  /** From 1, in the order of arrival. */
  readonly number: number;
  readonly endpoint: Endpoint;
  readonly method: string;
  readonly path: string;
  /** Query parameters, the members of a posted question, or for a login the form's; never a password or a token. */
  readonly params: Readonly<Record<string, string>>;
  /**
   * The status of the answer; null while it is in progress, and where the connection ended before a status was sent.
   */
  readonly status: number | null;
  /** Events in the answer, for pages. */
  readonly rows: number;
  /** Size of the answer as sent, compressed where it was. */
  readonly bodyBytes: number;
  readonly atMs: number;
  /** The kind of fault that hit it. */
  readonly fault: string | null;
  /** Requests being answered when it came, itself included. */
  readonly running: number;
}

/** A call while it is being answered. */
export type OpenCall = { -readonly [K in keyof Call]: Call[K] };

/** The requests of a simulator, newest kept. */
export interface CallLog {
  /** In the order of arrival. */
  all(): readonly Call[];
  /** Those to one endpoint, in the order of arrival. */
  of(endpoint: Endpoint): readonly Call[];
  /**
   * How many there were since the start or the last `clear`, including those that are no longer kept; data requests are
   * all but logins.
   */
  readonly total: number;
  readonly dataTotal: number;
  /** The most requests ever answered at once. */
  readonly mostRunning: number;
  /** Forgets all calls; the counts begin again at 0. */
  clear(): void;
}

/** @param limit calls kept; the oldest tenth is dropped when it is passed */
export function callLog(limit: number): CallLog & { open(call: Omit<OpenCall, 'number'>): OpenCall } {
  let calls: OpenCall[] = [];
  let total = 0;
  let logins = 0;
  let mostRunning = 0;
  return {
    all: () => calls,
    of: (endpoint) => calls.filter((call) => call.endpoint === endpoint),
    get total() {
      return total;
    },
    get dataTotal() {
      return total - logins;
    },
    get mostRunning() {
      return mostRunning;
    },
    clear() {
      calls = [];
      total = 0;
      logins = 0;
      mostRunning = 0;
    },
    open(call) {
      total += 1;
      if (call.endpoint === 'auth') logins += 1;
      mostRunning = Math.max(mostRunning, call.running);
      const opened: OpenCall = { ...call, number: total };
      calls.push(opened);
      if (calls.length > limit) calls = calls.slice(Math.ceil(limit / 10));
      return opened;
    },
  };
}

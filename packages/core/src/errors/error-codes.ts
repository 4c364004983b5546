/**
 * The instruction of an error to its caller. `retry`: send the same request later. `split`: the query was too large,
 * ask smaller ones. `reject`: one record is bad, the others are good. `stop`: a person must act.
 */
export type Disposition = 'retry' | 'split' | 'reject' | 'stop';

/** What is known of a code before any error carries it. `docs/errors.md` is generated from these entries. */
interface ErrorEntry {
  /** Of the command, when nothing recovers from the error. */
  readonly exitCode: number;
  /** When the error is raised, as a clause without a full stop. */
  readonly meaning: string;
  /** Every disposition that errors of the code may have. */
  readonly dispositions: readonly Disposition[];
  /** What to do about it in general, as Markdown sentences; the `hint` of one error knows more. */
  readonly remedy: string;
}

/**
 * Every error code. Codes are stable: scripts may match them. Exit code 2 is for input, configuration or credentials
 * that a person must change, 3 for work that was partly done, 130 for an interrupt, and 1 for all other failures.
 * @example
 * for (const [code, { exitCode, remedy }] of Object.entries(ERROR_CODES)) console.log(code, exitCode, remedy);
 */
export const ERROR_CODES = {
  USAGE: {
    exitCode: 2,
    meaning: 'a flag, an argument or a combination of them is wrong',
    dispositions: ['stop'],
    remedy: 'Read the hint, and `edrlake COMMAND --help` for the flags of the command.',
  },
  CONFIG_INVALID: {
    exitCode: 2,
    meaning: 'the configuration file or an EDRLAKE_ variable is wrong',
    dispositions: ['stop'],
    remedy: 'Correct the setting that the message names; `edrlake init --force` writes a fresh file.',
  },
  CREDENTIALS_MISSING: {
    exitCode: 2,
    meaning: 'EDRLAKE_USERNAME or EDRLAKE_PASSWORD is not set, or what an OAuth client needs',
    dispositions: ['stop'],
    remedy:
      'Set EDRLAKE_USERNAME, and EDRLAKE_PASSWORD or EDRLAKE_PASSWORD_FILE; of an OAuth client EDRLAKE_CLIENT_ID and EDRLAKE_CLIENT_SECRET_FILE.',
  },
  RANGE_INVALID: {
    exitCode: 2,
    meaning: 'a date or a range cannot be read, is empty, ends before it starts, or has not come yet',
    dispositions: ['stop'],
    remedy:
      'Correct the dates: days are `YYYY-MM-DD` in UTC, the end is not before the start, the start is not in the future.',
  },
  CLOCK_WRONG: {
    exitCode: 1,
    meaning: 'what the lake has proven is ahead of a clock, so the clock or the proof is wrong',
    dispositions: ['stop'],
    remedy:
      'Synchronise the clock of this machine (`edrlake doctor` compares it with that of the gateway), then run the same command again.',
  },
  URL_INVALID: {
    exitCode: 2,
    meaning: 'the base URL is not an https URL of a gateway',
    dispositions: ['stop'],
    remedy: 'Give the https URL of the gateway, or the name of a platform.',
  },
  AUTH_REJECTED: {
    exitCode: 2,
    meaning: 'the login was refused; it is never tried again by itself',
    dispositions: ['stop'],
    remedy: 'Check user name, password and platform before the next login: repeated failures lock an account.',
  },
  ACCESS_DENIED: {
    exitCode: 2,
    meaning: 'the account lacks the IOC/EDR role',
    dispositions: ['stop'],
    remedy: 'Ask your Qualys administrator for the IOC/EDR module and API access for this account.',
  },
  FILTER_REJECTED: {
    exitCode: 2,
    meaning: 'the API refused the query (HTTP 400)',
    dispositions: ['stop'],
    remedy: 'Correct --filter; if there is none, `edrlake doctor` finds the time token that this platform understands.',
  },
  SORT_REJECTED: {
    exitCode: 2,
    meaning: 'the API refused the order in which pages are asked for (HTTP 400)',
    dispositions: ['stop'],
    remedy: 'Set the time token that this platform sorts by; `edrlake doctor` finds it.',
  },
  PAGE_SIZE_REFUSED: {
    exitCode: 2,
    meaning: 'the gateway gives no pages of the size asked for',
    dispositions: ['stop'],
    remedy: 'Set --page-size to the number in the hint.',
  },
  QUERY_TOO_LONG: {
    exitCode: 2,
    meaning: 'the gateway takes no query of this length (HTTP 413, 414 or 431)',
    dispositions: ['stop'],
    remedy: 'Shorten --filter, or let the proxy in between take URLs of 16 KiB.',
  },
  REQUEST_REFUSED: {
    exitCode: 1,
    meaning: 'a firewall, a proxy or one node refused this request (400, 401 or 403), though others are answered',
    dispositions: ['stop'],
    remedy:
      'Run the command again; if it stays, ask for requests to the gateway to be allowed through the firewall or proxy.',
  },
  NOT_FOUND: {
    exitCode: 1,
    meaning: 'the API has no such event',
    dispositions: ['stop'],
    remedy: 'Check the agent id and the event id.',
  },
  EVENT_UNKNOWN: {
    exitCode: 1,
    meaning: 'the lake holds no such event, and every day that was asked for is proven',
    dispositions: ['stop'],
    remedy: 'Check the id. Ask the API with `edrlake event ID --api --agent AGENT`: it may have events of other days.',
  },
  EVENT_UNPROVEN: {
    exitCode: 4,
    meaning: 'the lake holds no such event, but not every day that was asked for is proven',
    dispositions: ['stop'],
    remedy:
      'Not in the lake does not mean that it never happened: fetch the days that the message names, and ask again.',
  },
  HOST_UNREACHABLE: {
    exitCode: 1,
    meaning: 'no connection to the gateway: name, network, TLS or refused',
    dispositions: ['retry', 'stop'],
    remedy:
      'Check the platform or base URL, the network, the firewall and HTTPS_PROXY. A certificate that is not trusted is not tried again: see NODE_EXTRA_CA_CERTS.',
  },
  PROXY_UNREACHABLE: {
    exitCode: 1,
    meaning: 'no connection to the proxy that the environment names',
    dispositions: ['retry'],
    remedy: 'Check the proxy setting that the message names, and whether the proxy runs.',
  },
  PROXY_REFUSED: {
    exitCode: 2,
    meaning: 'the proxy wants a password, or does not allow connections to the gateway',
    dispositions: ['stop'],
    remedy: 'Put user and password into the proxy URL, or ask for CONNECT to the gateway to be allowed.',
  },
  TIMEOUT: {
    exitCode: 1,
    meaning: 'the gateway did not answer in time',
    dispositions: ['retry'],
    remedy: 'Run the command again later: finished windows are kept.',
  },
  RATE_LIMITED: {
    exitCode: 1,
    meaning: 'the gateway still answers 429 (or 409 with limit evidence) after every allowed wait',
    dispositions: ['retry', 'stop'],
    remedy: 'Lower --rate-limit or --concurrency if other tools use the same subscription, or run later.',
  },
  CONFLICT: {
    exitCode: 1,
    meaning: 'HTTP 409 that is not a rate limit',
    dispositions: ['stop'],
    remedy: 'Run the command again later; if it stays, ask Qualys support with the time of the request.',
  },
  SERVER_ERROR: {
    exitCode: 1,
    meaning: 'the gateway answered 5xx after every retry',
    dispositions: ['retry'],
    remedy: 'Run the command again later: finished windows are kept. See status.qualys.com.',
  },
  BODY_BROKEN: {
    exitCode: 1,
    meaning: 'a body ended early, was reset, or is not the JSON that was expected',
    dispositions: ['retry'],
    remedy: 'Run the command again; if it stays, a proxy may cut long answers: use a smaller --page-size.',
  },
  RESPONSE_UNEXPECTED: {
    exitCode: 1,
    meaning: 'a status or a shape that no document names',
    dispositions: ['retry', 'stop'],
    remedy: 'Check the base URL, the platform and apiPrefix, and whether a proxy answers in place of the gateway.',
  },
  EVENTS_VANISHED: {
    exitCode: 1,
    meaning: 'the API counted or listed events of a range and did not when it was asked again, so nothing is proven',
    dispositions: ['stop'],
    remedy: 'Run the command again: a search service that restarts answers like that. What came is stored.',
  },
  RESULT_WINDOW_EXCEEDED: {
    exitCode: 1,
    meaning: 'a query holds more events than paging can reach',
    dispositions: ['split', 'stop'],
    remedy: 'Export a smaller range, or end it further in the past: its events change while they are fetched.',
  },
  WINDOW_INDIVISIBLE: {
    exitCode: 1,
    meaning: 'one millisecond, type and agent still hold more events than paging can reach',
    dispositions: ['stop'],
    remedy: 'Narrow the export with --filter.',
  },
  LAKE_UNWRITABLE: {
    exitCode: 2,
    meaning: 'the lake directory cannot be created or written',
    dispositions: ['stop'],
    remedy:
      'Check that the disk has space and that this user may write to the lake. A message about one commit says whether it took place.',
  },
  LAKE_MISSING: {
    exitCode: 2,
    meaning: 'there is no lake at that path',
    dispositions: ['stop'],
    remedy: 'Check --lake; `edrlake backfill` creates a lake.',
  },
  LAKE_INCOMPATIBLE: {
    exitCode: 2,
    meaning: 'a newer edrlake has written the lake',
    dispositions: ['stop'],
    remedy: 'Update edrlake on this machine.',
  },
  LAKE_OTHER_DATASET: {
    exitCode: 2,
    meaning: 'the lake holds events of another dataset',
    dispositions: ['stop'],
    remedy: 'Name the dataset of the lake with --dataset, or give another folder with --lake.',
  },
  LAKE_OTHER_SUBSCRIPTION: {
    exitCode: 2,
    meaning: 'the lake belongs to another subscription',
    dispositions: ['stop'],
    remedy:
      'Correct the lake of the subscription in the configuration file: each has its own. A subscription that was renamed keeps its lake only with its old name.',
  },
  CUSTOMER_FOREIGN: {
    exitCode: 4,
    meaning: 'the account, or what the API answers, belongs to another customer than the lake',
    dispositions: ['stop'],
    remedy:
      'Nothing of it was stored. Check which account the variables of the subscription name, and which lake; then run the same command again.',
  },
  PUBLISH_REFUSED: {
    exitCode: 2,
    meaning: 'the tables cannot be published in another table format as they are',
    dispositions: ['stop'],
    remedy:
      'Do what the message says: migrate files of an older format, choose another folder, or remove a publication of another history.',
  },
  LAKE_CORRUPT: {
    exitCode: 1,
    meaning: 'a log entry or a data file is missing or cannot be read',
    dispositions: ['retry', 'stop'],
    remedy: 'Run `edrlake doctor --lake DIR`: it names each damage and the command that repairs it.',
  },
  LAKE_CONTENDED: {
    exitCode: 1,
    meaning: 'other writers won every commit attempt',
    dispositions: ['retry'],
    remedy: 'Run the command again, and let fewer processes write to this lake at once.',
  },
  STORE_UNREACHABLE: {
    exitCode: 1,
    meaning: 'the object store of the lake did not answer, or answered 5xx, after every retry',
    dispositions: ['retry'],
    remedy: 'Check AWS_ENDPOINT_URL and the network, then run the same command again: what was committed stays.',
  },
  STORE_REFUSED: {
    exitCode: 2,
    meaning: 'the object store of the lake refused a request: credentials, permissions, bucket or region',
    dispositions: ['stop'],
    remedy: 'Check the bucket, AWS_REGION and the credentials, and that they may list, read, write and delete there.',
  },
  STORE_UNFIT: {
    exitCode: 2,
    meaning:
      'the object store cannot keep the promises of a lake: it overwrites in spite of `If-None-Match`, or lists late',
    dispositions: ['stop'],
    remedy: 'Use an object store with conditional writes, such as Amazon S3, Ceph or versitygw, or a lake on a disk.',
  },
  LEASE_LOST: {
    exitCode: 1,
    meaning: 'this process was stopped for so long that another process took over its unfinished work',
    dispositions: ['stop'],
    remedy: 'Run the command again: what was committed stays, the rest is done again.',
  },
  RUN_BUSY: {
    exitCode: 1,
    meaning: 'another live process works on the same run',
    dispositions: ['stop'],
    remedy: 'Wait for the process that the message names, or stop it and run the command again.',
  },
  RUN_MISSING: {
    exitCode: 2,
    meaning: 'there is no run with that id, or its journal says nothing',
    dispositions: ['stop'],
    remedy:
      'List the runs with `edrlake runs`. A run of a lake in an object store goes on where it began: only that machine has its journal. Elsewhere begin a new one; what is committed is not fetched again.',
  },
  TASK_FAILED: {
    exitCode: 1,
    meaning: 'the function of a task threw something that is not an error of edrlake',
    dispositions: ['retry'],
    remedy: 'See the message of the task; throw an EdrlakeError in the pipeline to have code and hint of its own.',
  },
  TASK_TIMED_OUT: {
    exitCode: 1,
    meaning: 'a task, or a run on a Temporal server, did not end within its time limit',
    dispositions: ['retry', 'stop'],
    remedy:
      'Give the task a larger timeoutMs or less to do; a task must end when its signal is aborted. A run has only the limit that was set on the server; start it again.',
  },
  OUT_OF_MEMORY: {
    exitCode: 2,
    meaning: 'the memory limit is too small for the computation',
    dispositions: ['stop'],
    remedy: 'Raise --memory-limit (300MB is the least), and leave space on the disk of the lake.',
  },
  OUTPUT_FAILED: {
    exitCode: 1,
    meaning: 'a result could not be written: a full disk or device, or a closed pipe',
    dispositions: ['stop'],
    remedy: 'Free space, or read the pipe to its end; what was written is not the whole result.',
  },
  QUERY_FAILED: {
    exitCode: 2,
    meaning: 'DuckDB refused the SQL',
    dispositions: ['retry', 'stop'],
    remedy: 'Correct the SQL at the place that the message shows. Only queries are allowed: no statement may write.',
  },
  INDICATORS_INVALID: {
    exitCode: 2,
    meaning: 'a list of indicators, or a value to hunt, is of no known form',
    dispositions: ['stop'],
    remedy:
      'Correct the places that the message names, or put the kind before the value, as in `host:WS-001`; `--lenient` leaves them out.',
  },
  DUCKDB_MISSING: {
    exitCode: 1,
    meaning: 'DuckDB, which the command needs, cannot be loaded on this machine',
    dispositions: ['stop'],
    remedy:
      'Install edrlake where DuckDB has binaries. `backfill`, `sync` and `status` work without it, with `--writer parquetjs`.',
  },
  VIEWS_STALE: {
    exitCode: 3,
    meaning: 'everything is committed, but lake.duckdb could not be written; run again',
    dispositions: ['stop'],
    remedy: 'Free space or correct the permissions; the next command that writes brings lake.duckdb up to date.',
  },
  PARTLY_DONE: {
    exitCode: 3,
    meaning: 'some windows failed; what was proven is committed, run again for the rest',
    dispositions: ['retry'],
    remedy: 'Run the same command again for the rest.',
  },
  LIMIT_REACHED: {
    exitCode: 3,
    meaning: 'a window was left because the requests or the time that the run was given were spent',
    dispositions: ['retry'],
    remedy: 'Run the same command again for the rest.',
  },
  REQUESTS_SPENT: {
    exitCode: 3,
    meaning: 'the requests of the subscription are spent for longer than this work may wait',
    dispositions: ['stop'],
    remedy: 'Nothing: a worker goes on with it when requests are free again.',
  },
  INTERRUPTED: {
    exitCode: 130,
    meaning: 'stopped by a signal; run again to resume',
    dispositions: ['stop'],
    remedy: 'Run the same command again to resume.',
  },
  BUG: {
    exitCode: 1,
    meaning: 'an assumption of edrlake itself does not hold; please report it',
    dispositions: ['stop'],
    remedy: 'Report it with the run id; `--log-level debug` shows the stack.',
  },
} as const satisfies Record<string, ErrorEntry>;

/** A key of `ERROR_CODES`: what scripts match and what the exit code follows from. */
export type ErrorCode = keyof typeof ERROR_CODES;

import { EdrlakeError } from '@edrlake/core';
import type { DirectAccess, ObjectTraffic } from '../storage/store.ts';

/** One object of a listing. */
export interface ListedObject {
  readonly key: string;
  readonly bytes: number;
  /** When it was written, by the clock of the object store. */
  readonly changedAtMs: number;
  /** In lists; of many stores and objects the MD5 of the content. */
  readonly etag?: string;
}

/** How a conditional write ended. `doubt`: it may have been carried out, or may still be; `cause` says why. */
export type PutOutcome = 'created' | 'taken' | { readonly doubt: EdrlakeError };

/** A multipart upload that was begun and neither completed nor aborted. */
export interface OpenUpload {
  readonly key: string;
  readonly id: string;
  readonly begunAtMs: number;
}

/**
 * The operations that a lake needs from an object store. Every key is used for one content only, apart from derived
 * documents. Requests are repeated where that is harmless, within bounds.
 *
 * All throw `STORE_UNREACHABLE` when there was no usable answer, and `STORE_REFUSED` when the answer was no.
 */
export interface ObjectStore {
  /** Creates or replaces an object. */
  put(key: string, content: string | Uint8Array): Promise<void>;
  /**
   * Uploads a file; a large one in parts, of which none stays behind when the upload fails.
   * @param path absolute
   * @returns whether the answer proves that all of its bytes arrived
   */
  putFile(key: string, path: string): Promise<boolean>;
  /** Creates an object, with all of its content, where there is none. Of racing callers exactly one gets `created`. */
  putIfAbsent(key: string, content: string | Uint8Array): Promise<PutOutcome>;
  /** null where there is no such object. */
  get(key: string): Promise<Buffer | null>;
  /** Downloads an object into a file, which is replaced; returns false, and makes no file, where there is none. */
  getToFile(key: string, path: string): Promise<boolean>;
  /** Objects whose keys begin with a prefix and sort after `startAfter`, in the order of their keys. */
  list(prefix: string, startAfter?: string): Promise<ListedObject[]>;
  /** null where there is no such object. */
  stat(key: string): Promise<ListedObject | null>;
  /** Does nothing where there is no such object. */
  delete(key: string): Promise<void>;
  openUploads(prefix: string): Promise<OpenUpload[]>;
  abortUpload(upload: OpenUpload): Promise<void>;
  traffic(): ObjectTraffic;
  /** What DuckDB needs to read objects itself; or why it cannot, as the rest of a sentence. */
  directAccess(): Promise<DirectAccess | string>;
  close(): void;
}

/** Requests of one kind of work that are under way at once. */
export const REQUEST_CONCURRENCY = 8;

/** The request was not answered, or with an error that may pass. */
export function unreachable(what: string, reason: string): EdrlakeError {
  return new EdrlakeError('STORE_UNREACHABLE', `${what} failed: ${reason}`, {
    disposition: 'retry',
    hint: 'Check AWS_ENDPOINT_URL and the network, then run the same command again.',
  });
}

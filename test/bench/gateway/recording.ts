import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** The head of an answer, without its body. */
export interface AnswerHead {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
}

/** An answer with its body exactly as sent, compressed where it was. */
export interface RecordedAnswer extends AnswerHead {
  readonly body: Buffer;
}

/** Answers by request: those of earlier runs, and those of this one. */
export interface Recording {
  /** The answer to a request; null where it was never sent. */
  get(key: string): Promise<RecordedAnswer | null>;
  /** Stores an answer; an existing one stays as it is. */
  put(key: string, answer: RecordedAnswer): Promise<void>;
  /** Makes the answers of this run available to later ones. */
  close(): Promise<void>;
}

interface Place extends AnswerHead {
  readonly key: string;
  readonly offset: number;
  readonly length: number;
}

const BODIES = 'bodies.bin';
const INDEX = 'index.ndjson';
/** Begins the name of a segment whose run has not ended. */
const UNFINISHED = 'unfinished-';

/**
 * Opens the recording in a folder: segments, each a file of bodies and an index. Bodies stay on disk and are read
 * through the page cache, so memory does not grow with them. Several processes may use one folder: each adds a segment
 * of its own, which the others see when they open the folder next.
 */
export async function openRecording(folder: string): Promise<Recording> {
  await mkdir(folder, { recursive: true });
  const places = new Map<string, { readonly place: Place; readonly bodies: FileHandle }>();
  const handles: FileHandle[] = [];
  for (const segment of await readdir(folder)) {
    if (segment.startsWith(UNFINISHED)) continue;
    const bodies = await open(join(folder, segment, BODIES), 'r');
    handles.push(bodies);
    const lines = (await readFile(join(folder, segment, INDEX), 'utf8')).split('\n').filter((line) => line !== '');
    for (const place of lines.map((line) => JSON.parse(line) as Place)) places.set(place.key, { place, bodies });
  }
  const own = await ownSegment(folder);
  return {
    async get(key) {
      const found = places.get(key);
      if (found === undefined) return null;
      const { status, headers, offset, length } = found.place;
      const body = Buffer.allocUnsafe(length);
      if (length > 0) await found.bodies.read(body, 0, length, offset);
      return { status, headers, body };
    },
    async put(key, answer) {
      if (places.has(key)) return;
      places.set(key, { place: await own.append(key, answer), bodies: own.bodies });
    },
    async close() {
      for (const handle of handles) await handle.close();
      await own.close();
    },
  };
}

/** The segment that this process writes. An empty one leaves no file. */
async function ownSegment(folder: string) {
  const name = randomUUID();
  const path = join(folder, `${UNFINISHED}${name}`);
  await mkdir(path);
  const bodies = await open(join(path, BODIES), 'w+');
  const index = await open(join(path, INDEX), 'w');
  let end = 0;
  return {
    bodies,
    async append(key: string, { status, headers, body }: RecordedAnswer): Promise<Place> {
      const place = { key, status, headers, offset: end, length: body.length };
      end += body.length;
      // Requests are answered concurrently: each knows its offset before anything is awaited.
      if (body.length > 0) await bodies.write(body, 0, body.length, place.offset);
      await index.appendFile(`${JSON.stringify(place)}\n`);
      return place;
    },
    async close() {
      await bodies.close();
      await index.close();
      if (end === 0) await rm(path, { recursive: true, force: true });
      else if (existsSync(path)) await rename(path, join(folder, name));
    },
  };
}

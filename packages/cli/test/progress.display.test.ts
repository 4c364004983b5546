import type { RunEvent } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { exportProgress, progressDisplay } from '../src/progress/progress-display.ts';
import { advanceProgress, startProgress, timeLeftMs } from '../src/progress/progress-state.ts';
import { liveLines, plainLine } from '../src/progress/progress-text.ts';
import { displayWidth } from '../src/text/text-width.ts';
import { handClock, TextBuffer } from './fake-surroundings.ts';

const START_MS = Date.UTC(2026, 0, 1, 3);
const RANGE = { startMs: 0, endMs: 1_000 };

const planned: RunEvent = { type: 'planned', windows: 10, events: 10_000, pages: 10, planRequests: 3 };
function page(pageNumber: number, reused = false): RunEvent {
  return { type: 'page', windowId: 'w', pageNumber, records: 1_000, bodyBytes: 1_000_000, reused };
}
function request(requestsLeft: number | null): RunEvent {
  return { type: 'request', endpoint: 'events', status: 200, durationMs: 10, attempt: 1, requestsLeft };
}

function stateAfter(...steps: readonly (readonly [number, RunEvent])[]) {
  const state = startProgress(START_MS);
  for (const [atMs, event] of steps) advanceProgress(state, event, START_MS + atMs);
  return state;
}

/** What a terminal shows in the end: understands only the codes the display uses. */
function screenOf(text: string): string[] {
  const lines = [''];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what a terminal reads
  for (const [token] of text.matchAll(/\u001b\[\??\d*[A-Za-z]|\n|\r|[^\u001b\n\r]+/g)) {
    const up = /\[(\d+)A$/.exec(token);
    if (up !== null) lines.splice(lines.length - 1 - Number(up[1]));
    if (up !== null) lines.push('');
    else if (token === '\n') lines.push('');
    else if (!token.startsWith('\u001b') && token !== '\r') lines[lines.length - 1] += token;
  }
  return lines;
}

describe('progress in words', () => {
  it('counts while it plans', () => {
    const state = stateAfter([0, request(299)]);
    expect(liveLines(state, START_MS + 1_500, 80)).toEqual(['Planning  1.5 s', '          1 request · 299 left']);
  });

  it('shows share, requests, rate and time to go', () => {
    const state = stateAfter([0, planned], [1_000, request(290)], [2_000, page(0)], [2_000, page(1)]);
    const lines = liveLines(state, START_MS + 2_000, 80);
    expect(lines[0]).toMatch(/^Fetching {2}█+░+ {2}20 % · 2,000 of 10,000 events$/);
    expect(lines[1]).toBe('          1 request · 290 left · 1,000 events/s · about 8 s to go');
    expect(plainLine(state, START_MS + 2_000)).toBe(
      '20 % · 2,000 of 10,000 events, 1 request, 290 left, 1,000 events/s, about 8 s to go',
    );
  });

  it('fits every width', () => {
    const state = stateAfter([0, planned], [1_000, request(290)], [2_000, page(0)]);
    for (let width = 20; width <= 200; width += 1) {
      for (const line of liveLines(state, START_MS + 2_000, width)) {
        expect(displayWidth(line)).toBeLessThanOrEqual(width);
      }
    }
  });

  it('says until when the limit makes it wait', () => {
    const state = stateAfter([0, planned], [1_000, page(0)]);
    const untilMs = START_MS + 720_000;
    advanceProgress(state, { type: 'pace', reason: 'rate-limit', delayMs: 719_000, untilMs }, START_MS + 1_000);
    expect(liveLines(state, START_MS + 1_000, 80)[2]).toBe('          waiting for the rate limit until 03:12:00Z');
    expect(liveLines(state, untilMs + 1, 80)).toHaveLength(2);
    // An answer to another request does not end the wait.
    advanceProgress(state, request(299), START_MS + 2_000);
    expect(liveLines(state, START_MS + 2_000, 80)).toHaveLength(3);
    advanceProgress(state, { type: 'pace-end', reason: 'rate-limit', waitedMs: 2_000 }, START_MS + 3_000);
    expect(liveLines(state, START_MS + 3_000, 80)).toHaveLength(2);
  });

  it.each([
    ['concurrency', 'waiting for a running request to end (--concurrency or gateway limit)'],
    ['other-process', 'waiting for requests of other processes that share the rate limit'],
    ['rate-limit', 'waiting for the rate limit'],
  ] as const)('names what a request waits for where the end is not known: %s', (reason, text) => {
    const state = stateAfter([0, planned], [1_000, { type: 'pace', reason, delayMs: null, untilMs: null }]);
    expect(plainLine(state, START_MS + 2_999)).not.toContain('waiting');
    expect(plainLine(state, START_MS + 3_000)).toContain(text);
    expect(liveLines(state, START_MS + 3_000, 79)[2]).toBe(`          ${text}`);
    advanceProgress(state, { type: 'pace-end', reason, waitedMs: 2_000 }, START_MS + 3_000);
    expect(plainLine(state, START_MS + 9_000)).not.toContain('waiting');
  });

  it('reckons with the limit where it is slower than the rate so far', () => {
    const state = stateAfter([0, planned], [0, { type: 'limits', requests: 2, windowSeconds: 60, concurrency: 2 }]);
    advanceProgress(state, request(1), START_MS + 1_000);
    advanceProgress(state, page(0), START_MS + 1_000);
    // Nine pages are left, one may be asked for now, eight need two a minute.
    expect(timeLeftMs(state, START_MS + 1_000)).toBe(240_000);
  });

  it('does not take pages from disk for speed', () => {
    const state = stateAfter([0, planned], [1_000, page(0, true)], [1_000, page(1, true)], [2_000, page(2)]);
    expect(plainLine(state, START_MS + 2_000)).toContain('30 % · 3,000 of 10,000 events, 0 requests, 500 events/s');
  });
});

describe('the live display', () => {
  function display(width = 80) {
    const clock = handClock(START_MS);
    const terminal = new TextBuffer({ isTTY: true, columns: width });
    const shown = progressDisplay(terminal, clock, {
      view: exportProgress(clock.nowMs()),
      level: 'info',
      live: true,
      pasting: { program: 'edrlake' },
      width: () => width,
    });
    return { clock, terminal, shown };
  }

  it('draws at most ten frames a second', () => {
    const { clock, terminal, shown } = display();
    shown.emit(planned);
    for (let i = 0; i < 1_000; i += 1) {
      clock.advance(1);
      shown.emit(page(i));
    }
    expect(terminal.writes.length).toBeLessThanOrEqual(11);
  });

  it('leaves nothing behind, and the cursor on', () => {
    const { clock, terminal, shown } = display();
    shown.emit(planned);
    clock.advance(200);
    shown.emit(page(0));
    shown.tick();
    shown.stop();
    shown.tick();
    shown.emit(page(1));
    expect(screenOf(terminal.text).join('')).toBe('');
    expect(terminal.text.endsWith('\u001b[?25h')).toBe(true);
  });

  it('keeps what must be read above itself', () => {
    const { clock, terminal, shown } = display();
    shown.emit(planned);
    clock.advance(200);
    shown.emit({ type: 'window-failed', windowId: 'w', range: RANGE, code: 'TIMEOUT', message: 'no answer' });
    clock.advance(200);
    shown.emit(page(0));
    shown.stop();
    const screen = screenOf(terminal.text).filter((line) => line !== '');
    expect(screen).toEqual([
      '2026-01-01T03:00:00Z warn: window 1970-01-01T00:00:00Z to 1970-01-01T00:00:01Z failed: no answer [TIMEOUT]',
    ]);
  });
});

describe('progress off a terminal', () => {
  function display(level: 'info' | 'debug' | 'error' = 'info') {
    const clock = handClock(START_MS);
    const file = new TextBuffer();
    const shown = progressDisplay(file, clock, {
      view: exportProgress(clock.nowMs()),
      level,
      live: false,
      pasting: { program: 'edrlake' },
      width: () => 80,
    });
    return { clock, file, shown };
  }

  it('is one line for a milestone, and one each ten seconds', () => {
    const { clock, file, shown } = display();
    shown.emit(planned);
    for (let i = 0; i < 25; i += 1) {
      clock.advance(1_000);
      shown.emit(page(i));
      shown.tick();
    }
    expect(file.text.split('\n')).toEqual([
      '2026-01-01T03:00:00Z planned 10,000 events in 10 windows, 10 pages (3 requests to plan)',
      '2026-01-01T03:00:10Z 0 % · 0 of 10,000 events in the lake, 0 requests',
      '2026-01-01T03:00:20Z 0 % · 0 of 10,000 events in the lake, 0 requests',
      '',
    ]);
    expect(file.text).not.toContain('\u001b');
  });

  it('logs every request only with --log-level debug, and nothing ordinary with error', () => {
    for (const [level, lines] of [
      ['debug', 1],
      ['info', 0],
      ['error', 0],
    ] as const) {
      const { file, shown } = display(level);
      shown.emit(request(3));
      expect(file.writes).toHaveLength(lines);
    }
  });
});

import { type Clock, type Emit, instantText, type RunEvent } from '@edrlake/core';
import type { FlagValues, LogLevel } from '../args/options.ts';
import { lineWidth, type ProcessContext, pastingOf, type TextSink } from '../process/process-context.ts';
import { asPasted, type Pasting } from '../process/program-name.ts';
import { oneLine } from '../text/text-width.ts';
import { isLogged, type LogLine, logLineOf } from './log-line.ts';
import { advanceProgress, startProgress } from './progress-state.ts';
import { liveLines, plainLine } from './progress-text.ts';

/** Shows what goes on while a command runs, on stderr only. */
export interface ProgressDisplay {
  readonly emit: Emit;
  /** A line of its own, among or above what is shown. */
  log(line: LogLine): void;
  /** Redraws, so that clocks and waits go on when nothing happens. Called by a timer. */
  tick(): void;
  /** Removes the live display. Nothing is shown after it. */
  stop(): void;
}

/** What is shown while something goes on: it takes events and is drawn whenever there is time. */
export interface ProgressView {
  advance(event: RunEvent, nowMs: number): void;
  /** For a terminal, each at most `width` cells. */
  lines(nowMs: number, width: number): string[];
  /** The same in one line for a log; null where there is nothing to say. */
  plainLine(nowMs: number): string | null;
}

/** An export at work. */
export function exportProgress(startedAtMs: number): ProgressView {
  const state = startProgress(startedAtMs);
  return {
    advance: (event, nowMs) => advanceProgress(state, event, nowMs),
    lines: (nowMs, width) => liveLines(state, nowMs, width),
    plainLine: (nowMs) => plainLine(state, nowMs),
  };
}

/** How progress is shown. */
export interface DisplayOptions {
  readonly view: ProgressView;
  readonly level: LogLevel;
  /** true: redraw lines in place. false: write one line now and then. */
  readonly live: boolean;
  readonly width: () => number;
  /** For whom the commands of log lines are. */
  readonly pasting: Pasting;
}

/** At most ten frames a second: more cannot be read and costs time. */
const FRAME_MS = 100;
const PLAIN_LINE_MS = 10_000;
const HIDE_CURSOR = '\u001b[?25l';
const SHOW_CURSOR = '\u001b[?25h';

/** A display that redraws at events, at most ten times a second, and at `tick`. */
export function progressDisplay(stderr: TextSink, clock: Clock, options: DisplayOptions): ProgressDisplay {
  return options.live ? liveDisplay(stderr, clock, options) : plainDisplay(stderr, clock, options);
}

/**
 * The display for a command's settings, redrawn by a timer until `stop`. Live only where stderr is a terminal that can
 * move its cursor.
 */
export function startDisplay(
  values: FlagValues,
  context: ProcessContext,
  view: ProgressView = exportProgress(context.clock.nowMs()),
): ProgressDisplay {
  const { stderr, env, clock, observe } = context;
  const level = values['log-level'];
  const live = stderr.isTTY === true && env.TERM !== 'dumb' && !values['no-progress'] && isLogged('info', level);
  const width = () => lineWidth(stderr, env);
  const display = progressDisplay(stderr, clock, { view, level, live, width, pasting: pastingOf(context) });
  const timer = setInterval(display.tick, live ? FRAME_MS * 2.5 : PLAIN_LINE_MS / 2);
  timer.unref();
  return {
    ...display,
    emit:
      observe === undefined
        ? display.emit
        : (event) => {
            observe(event);
            display.emit(event);
          },
    stop: () => {
      clearInterval(timer);
      display.stop();
    },
  };
}

function liveDisplay(stderr: TextSink, clock: Clock, options: DisplayOptions): ProgressDisplay {
  const { view } = options;
  let drawnLines = 0;
  let drawnAtMs = Number.NEGATIVE_INFINITY;
  let stopped = false;
  const eraseText = () => (drawnLines === 0 ? '' : `\u001b[${drawnLines}A\r\u001b[0J`);
  const draw = (before: string) => {
    const nowMs = clock.nowMs();
    // One cell stays free: a full last column makes some terminals wrap.
    const lines = view.lines(nowMs, options.width() - 1);
    stderr.write(`${eraseText()}${drawnLines === 0 ? HIDE_CURSOR : ''}${before}${lines.join('\n')}\n`);
    drawnLines = lines.length;
    drawnAtMs = nowMs;
  };
  const log = (line: LogLine) => {
    if (stopped || !isLogged(line.level, options.level)) return;
    draw(`${asPasted(logText(line, clock.nowMs()), options.pasting)}\n`);
  };
  return {
    emit: (event) => {
      if (stopped) return;
      const nowMs = clock.nowMs();
      view.advance(event, nowMs);
      const line = logLineOf(event, nowMs);
      // What the display itself shows needs no line.
      if (line.level !== 'info' || isMilestone(event)) log(line);
      if (nowMs - drawnAtMs >= FRAME_MS) draw('');
    },
    log,
    tick: () => {
      if (!stopped && clock.nowMs() - drawnAtMs >= FRAME_MS) draw('');
    },
    stop: () => {
      if (stopped) return;
      stopped = true;
      if (drawnLines > 0) stderr.write(`${eraseText()}${SHOW_CURSOR}`);
    },
  };
}

function plainDisplay(stderr: TextSink, clock: Clock, options: DisplayOptions): ProgressDisplay {
  const { view } = options;
  let writtenAtMs = clock.nowMs();
  let stopped = false;
  const log = (line: LogLine) => {
    if (stopped || !isLogged(line.level, options.level)) return;
    writtenAtMs = clock.nowMs();
    stderr.write(`${asPasted(logText(line, writtenAtMs), options.pasting)}\n`);
  };
  const tick = () => {
    const nowMs = clock.nowMs();
    if (nowMs - writtenAtMs < PLAIN_LINE_MS) return;
    const text = view.plainLine(nowMs);
    if (text !== null) log({ level: 'info', text });
  };
  return {
    emit: (event) => {
      const nowMs = clock.nowMs();
      view.advance(event, nowMs);
      log(logLineOf(event, nowMs));
      tick();
    },
    log,
    tick,
    stop: () => {
      stopped = true;
    },
  };
}

function isMilestone(event: RunEvent): boolean {
  return (
    event.type === 'resumed' ||
    event.type === 'window-split' ||
    event.type === 'commit-contended' ||
    event.type === 'recovered'
  );
}

function logText(line: LogLine, nowMs: number): string {
  const level = line.level === 'info' ? '' : `${line.level}: `;
  return `${instantText(Math.floor(nowMs / 1_000) * 1_000)} ${level}${oneLine(line.text)}`;
}

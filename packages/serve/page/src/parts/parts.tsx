import { DAY_STATE_NAMES, type DayState } from '@edrlake/runner/states';
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { Refused } from '../api.ts';
import { ago, instant } from '../format.ts';

/** A view with its heading; the place where keyboard users arrive. */
export function Page({
  title,
  about,
  children,
}: {
  title: string;
  about?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <main class="view" id="view" tabIndex={-1}>
      <header>
        <h1>{title}</h1>
        {about !== undefined && <div class="soft small">{about}</div>}
      </header>
      {children}
    </main>
  );
}

/** What is shown while nothing is loaded yet. */
export function Waiting({ title, refused }: { title: string; refused: Refused | null }) {
  return (
    <Page title={title}>
      {refused === null ? <p class="loading">Reading the lake …</p> : <Problem refused={refused} />}
    </Page>
  );
}

/** Why something is not shown: message, hint and error code. */
export function Problem({ refused }: { refused: Refused }) {
  return (
    <div class="error" role="alert">
      <pre>{refused.message}</pre>
      <p class="soft small">
        {refused.hint} [{refused.code}]
      </p>
    </div>
  );
}

/** A figure with its name, and in small letters what it is of. */
export function Tile({
  name,
  value,
  more,
  tone,
}: {
  name: string;
  value: string;
  more?: string;
  tone?: 'good' | 'bad' | undefined;
}) {
  return (
    <dl class="tile" data-tone={tone}>
      <dt>{name}</dt>
      <dd>
        <span>{value}</span>
        <span class="more">{more ?? '\u00a0'}</span>
      </dd>
    </dl>
  );
}

/** An instant: its day, then its time and how long ago it was. */
export function When({ name, at, now }: { name: string; at: string | null; now: string }) {
  const text = instant(at);
  return (
    <Tile
      name={name}
      value={text.slice(0, 10)}
      more={at === null ? '' : `${text.slice(11, 16)} UTC, ${ago(at, now)}`}
    />
  );
}

/** The state of a day: its colour and its name. */
export function StateBadge({ state }: { state: DayState }) {
  return (
    <span class="badge">
      <Swatch state={state} />
      {DAY_STATE_NAMES[state]}
    </span>
  );
}

/** As a day in the calendar: states that need a look have a hole, so that colour is not all that differs. */
export function Swatch({ state }: { state: DayState }) {
  return (
    <svg class="swatch" viewBox="0 0 10 10" aria-hidden="true">
      <rect class={`s-${state}`} width="10" height="10" rx="2" />
      <path class="holes" d={holeOf(state, 0, 0)} />
    </svg>
  );
}

/** The mark inside a day; each state that needs a look has another one. */
export function holeOf(state: DayState, x: number, y: number): string {
  const at = (left: number, top: number, width: number, height: number) =>
    `M${x + left} ${y + top}h${width}v${height}h${-width}z`;
  if (state === 'mismatched') return at(2, 4, 6, 2) + at(4, 2, 2, 2) + at(4, 6, 2, 2);
  if (state === 'missing') return at(3, 3, 4, 4);
  if (state === 'late') return at(2, 4, 6, 2);
  if (state === 'rejected') return at(4, 2, 2, 6);
  if (state === 'partial') return at(5, 0, 5, 5);
  return '';
}

/** A command with a button that copies it. */
export function Command({ text }: { text: string }) {
  const [isCopied, setIsCopied] = useState(false);
  const copy = async () => {
    await navigator.clipboard?.writeText(text).catch(() => undefined);
    setIsCopied(true);
    setTimeout(() => setIsCopied(false), 1_500);
  };
  return (
    <div class="command">
      <code tabIndex={0}>{text}</code>
      <button type="button" onClick={copy} aria-label={`Copy: ${text}`}>
        {isCopied ? 'Copied' : 'Copy'}
      </button>
    </div>
  );
}

/** A column of a table: its title, and what is shown for a row. */
export interface Column<Row> {
  readonly title: string;
  readonly right?: boolean;
  readonly class?: string;
  readonly cell: (row: Row) => ComponentChildren;
}

/** A table that scrolls sideways where it is too wide. */
export function Table<Row>({
  label,
  columns,
  rows,
  tall,
}: {
  label: string;
  columns: readonly Column<Row>[];
  rows: readonly Row[];
  tall?: boolean;
}) {
  return (
    <div class={`scroll ${tall === true ? 'tall' : ''}`} role="group" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {columns.map(({ title, right }) => (
              <th scope="col" class={right === true ? 'right' : ''}>
                {title === '' ? <span class="hidden-text">state</span> : title}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row) => (
            <tr>
              {columns.map((column) => (
                <td class={`${column.right === true ? 'right' : ''} ${column.class ?? ''}`}>{column.cell(row)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

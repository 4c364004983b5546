import { durationText, MS_PER_SECOND } from '@edrlake/core';
import { displayWidth } from '../text/text-width.ts';

const NARROWEST_BAR = 10;
const WIDEST_BAR = 40;

/** A label, a bar filled as far as `part` of `whole` is done, and the amount; no bar where the line is short. */
export function barLine(
  label: string,
  { part, whole }: { readonly part: number; readonly whole: number },
  amount: string,
  width: number,
): string {
  const room = width - displayWidth(label) - displayWidth(amount) - 4;
  if (room < NARROWEST_BAR) return `${label}  ${amount}`;
  return `${label}  ${barText(part, whole, Math.min(WIDEST_BAR, room))}  ${amount}`;
}

function barText(part: number, whole: number, width: number): string {
  const filled = whole <= 0 ? width : Math.min(width, Math.floor((part / whole) * width));
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}

/** `about 8 s to go`, in whole seconds. */
export function toGoText(leftMs: number): string {
  return `about ${durationText(Math.max(1, Math.ceil(leftMs / MS_PER_SECOND)) * MS_PER_SECOND)} to go`;
}

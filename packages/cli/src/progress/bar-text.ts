/** A bar of `width` cells that is filled as far as `part` of `whole` is done. */
export function barText(part: number, whole: number, width: number): string {
  const filled = whole <= 0 ? width : Math.min(width, Math.floor((part / whole) * width));
  return '█'.repeat(filled) + '░'.repeat(width - filled);
}

/** `18,048,196`. */
export function countText(value: number | bigint): string {
  // Not toLocaleString: its first call loads the rules of languages, which takes longer than reading a lake's log.
  return String(value).replace(/\B(?=(\d{3})+$)/g, ',');
}

/**
 * The text of a JSON number in a text column, as DuckDB casts it: integers digit by digit, others as the shortest text
 * of their double. So `1e2` and `100.0` are one identity, as in the tables.
 */
export function numberText(json: string): string {
  if (/^-?\d+$/.test(json)) return json === '-0' ? '0' : json;
  const value = Number(json);
  if (!Number.isFinite(value)) return json;
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (value === 0 || (power >= -4 && power < 16)) {
    const text = Object.is(value, -0) ? '-0' : String(value);
    return text.includes('.') || power < 0 ? text : `${text}.0`;
  }
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

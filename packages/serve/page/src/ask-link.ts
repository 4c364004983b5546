/** The address of the view that holds a question, behind `#`, which a browser sends to no server. */
export function linkTo(sql: string): string {
  return `#/ask?${new URLSearchParams({ sql })}`;
}

/** A text as SQL. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

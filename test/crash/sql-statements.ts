/** The statements of a script one by one, as they are named: without comments, on one line. */
export function statementsOf(script: string): { readonly sql: string; readonly name: string }[] {
  // Cut at the semicolons that are in no comment and in no trigger.
  const parts = script.match(/(?:CREATE TRIGGER[\s\S]*?\bEND\b|--[^\n]*|[^;])+/g) ?? [];
  return parts.map((sql) => ({ sql, name: nameOf(sql) })).filter(({ name }) => name !== '');
}

export function nameOf(sql: string): string {
  return sql
    .replaceAll(/--[^\n]*/g, '')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

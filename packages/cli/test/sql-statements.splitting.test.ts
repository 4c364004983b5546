import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isBlank, scriptSteps, splitStatements } from '../src/query/sql-statements.ts';

describe('splitting SQL', () => {
  it.each([
    ['select 1; select 2;', ['select 1', 'select 2'], ''],
    ["select 'a;b';", ["select 'a;b'"], ''],
    ["select 'it''s;'; x", ["select 'it''s;'"], ' x'],
    ['select "a;b" from t', [], 'select "a;b" from t'],
    ['select $$a;b$$; select $t$ $$;$t$;', ['select $$a;b$$', 'select $t$ $$;$t$'], ''],
    ['select 1 -- one; two\n;', ['select 1 -- one; two'], ''],
    ['/* a;b */ ; select 1 / 2 - 3;', ['select 1 / 2 - 3'], ''],
    ["select 'open; still", [], "select 'open; still"],
    [';;;', [], ''],
  ])('%j', (sql, statements, rest) => {
    expect(splitStatements(sql)).toEqual({ statements, rest });
  });

  it('loses nothing but semicolons and blanks', () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom('a', ' ', ';', "'", '"', '$$', '--', '\n', '/*', '*/', '-', '/')),
        (parts) => {
          const sql = parts.join('');
          const { statements, rest } = splitStatements(sql);
          const bare = (text: string) => text.replaceAll(/[;\s]/g, '');
          const kept = statements.join('') + rest;
          expect(bare(sql).length).toBeGreaterThanOrEqual(bare(kept).length);
          for (const statement of statements) expect(sql).toContain(statement);
          expect(sql.endsWith(rest)).toBe(true);
        },
      ),
    );
  });

  it('knows what holds no statement', () => {
    expect([isBlank(''), isBlank(' -- x\n/* y; */'), isBlank('x'), isBlank("''")]).toEqual([true, true, false, false]);
  });
});

describe('the steps of a script', () => {
  it.each([
    ['.help\nselect 1;\n.quit', [{ dot: '.help' }, { sql: 'select 1' }, { dot: '.quit' }]],
    ['select 1\n.help\n;', [{ sql: 'select 1\n.help' }]],
    ['-- first\n.tables\r\nselect 2', [{ dot: '.tables' }, { sql: 'select 2' }]],
    ['/* a\n.help\n*/ select 3;', [{ sql: '/* a\n.help\n*/ select 3' }]],
    ["select 'a;\n.help\n';", [{ sql: "select 'a;\n.help\n'" }]],
    ['select\n.5;', [{ sql: 'select\n.5' }]],
    ['  .schema events ;\n', [{ dot: '.schema events ;' }]],
    ['', []],
  ])('%j', (text, steps) => {
    expect(scriptSteps(text)).toEqual(steps);
  });
});

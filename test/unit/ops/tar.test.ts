import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { tarOf } from '../../../src/ops/tar.ts';

test('tar unpacks what was packed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'satellite-tar-'));
  try {
    const contents = [Buffer.alloc(0), Buffer.from('one'), Buffer.alloc(512, 'x'), Buffer.alloc(100_000, 'ü')];
    const archive = tarOf(
      contents.map((content, index) => ({ name: `folder/${index}.txt`, content })),
      Date.UTC(2026, 0, 2, 3, 4, 5),
    );
    writeFileSync(join(folder, 'a.tar'), archive);
    const list = execFileSync('tar', ['-tvf', 'a.tar', '--utc'], { cwd: folder, encoding: 'utf8' }).trim().split('\n');
    expect(list).toHaveLength(contents.length);
    expect(list[1]).toMatch(/^-rw------- 0\/0 +3 2026-01-02 03:04 folder\/1\.txt$/);
    for (const [index, content] of contents.entries()) {
      expect(execFileSync('tar', ['-xOf', 'a.tar', `folder/${index}.txt`], { cwd: folder })).toEqual(content);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

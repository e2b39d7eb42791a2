import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  clipLink as linkOf,
  playerSource,
  posterUri
} from '../../src/output/links';

function clipLink(html: string, run_id: string, more = {}): string | null {
  return linkOf(html, { run_id, revision: 1, state: 'completed', ...more });
}

test('link and poster are found in the output’s HTML, and nothing else is taken for them', () => {
  const picture = 'data:image/jpeg;base64,AAAA';
  const html =
    `<video src="clips &amp; more/a.mp4" poster="${picture}" title="Clip of run a"></video>` +
    '<a href="clips &amp; more/a.mp4"><bdi>a.mp4</bdi></a><a href="b.mp4">b</a>' +
    `<img src="${picture}" alt="One picture of the clip of run c">` +
    `<div><img src="${picture}" alt="One picture of the clip of run d">` +
    '<video src="d.mp4" poster="data:image/png;base64,BBBB" title="Clip of run d"></video></div><a href="d.mp4">';
  assert.equal(clipLink(html, 'a'), 'clips & more/a.mp4');
  assert.equal(clipLink(html, 'b'), 'b.mp4');
  for (const kind of ['webm', 'mov', 'mkv', 'avi']) {
    assert.equal(
      clipLink(`<video src="c.${kind}"></video><a href="c.${kind}">`, 'c'),
      `c.${kind}`
    );
  }
  assert.equal(
    clipLink('<a href="c.html"><a href="c.json"><a href="c.mp4.exe">', 'c'),
    null
  );
  assert.equal(clipLink(html, 'c'), null);
  assert.equal(posterUri(html, 'a'), picture);
  assert.equal(posterUri(html, 'c'), picture);
  assert.equal(posterUri(html, 'b'), null);
  assert.equal(posterUri(html, 'd'), picture);
  assert.equal(clipLink(html, 'd'), 'd.mp4');
  for (const src of [
    'https://example.org/a.png',
    'javascript:1',
    'data:image/svg+xml;base64,AA'
  ]) {
    assert.equal(
      posterUri(`<video poster="${src}" title="Clip of run a">`, 'a'),
      null
    );
  }
  for (const odd of [
    '',
    '"',
    'a.mp4"',
    ' href="',
    'title="Clip of run a"',
    '<'.repeat(9)
  ]) {
    clipLink(odd, 'a');
    posterUri(odd, 'a');
  }
});

test('the clip of a run with a name is found by the name of its file', () => {
  const id = '20261128-110000-8x5ppr';
  const link = 'my%20clips/fox-8x5ppr.mp4';
  const html = `<a href="red-fox-8x5ppr.mp4"></a><a href="${link}"></a><a href="other.mp4"></a>`;
  const named = { stem: 'fox-8x5ppr', clip: { path: 'fox-8x5ppr.mp4' } };
  assert.equal(clipLink(html, id, named), link);
  assert.equal(clipLink(html, id, { stem: named.stem }), link);
  assert.equal(clipLink(html, id, { clip: named.clip }), link);
  assert.equal(clipLink(html, id), null);
  // A reference, whose record the notebook does not have.
  const reference = {
    reference: true,
    clip: { duration_s: 6, path: 'fox-8x5ppr.mp4' }
  };
  assert.equal(clipLink(html, id, reference), link);
});

test('the clip of a run that was renamed is found by its name as a link has it', () => {
  const id = '20261128-110000-8x5ppr';
  for (const [path, link] of [
    ['figure 3.mp4', 'clips/figure%203.mp4'],
    ['füchse (2)!.mp4', 'f%C3%BCchse%20%282%29%21.mp4']
  ]) {
    const html = `<a href="other.mp4"></a><a href="${link}"></a>`;
    assert.equal(clipLink(html, id, { clip: { path } }), link);
  }
  const own = `<a href="${id}.mp4"></a>`;
  assert.equal(
    clipLink(own, id, { clip: { path: '\ud800.mp4' } }),
    `${id}.mp4`
  );
});

test('a record leads to no other link than a clip’s below the notebook’s folder', () => {
  const id = '20261128-110000-8x5ppr';
  for (const link of [
    '../x.mp4',
    '%2e%2e/x.mp4',
    '/x.mp4',
    'https://example.org/x.mp4',
    'x.html',
    'x.mp4?a'
  ]) {
    const html = `<a href="${link}"></a>`;
    assert.equal(clipLink(html, id, { clip: { path: 'x.mp4' } }), null, link);
    assert.equal(clipLink(html, id, { clip: { path: link } }), null, link);
  }
  const own = `<a href="${id}.mp4"></a>`;
  for (const path of ['../x.mp4', '', '"', 7, null, ['x.mp4']]) {
    assert.equal(clipLink(own, id, { clip: { path } }), `${id}.mp4`);
  }
});

test('a player without a link has its address, if that is of a clip below the notebook', () => {
  const player = (src: string): string =>
    `<video controls src="${src}" title="Clip of run a" aria-label="x"></video>`;
  const html = player('hailuo/a&amp;b.mp4') + player('hailuo/c.mp4');
  assert.equal(playerSource(html, 'a'), 'hailuo/a&b.mp4');
  assert.equal(playerSource(html, 'b'), null);
  for (const src of ['https://x.example/a.mp4', '../a.mp4', 'a.exe']) {
    assert.equal(playerSource(player(src), 'a'), null);
  }
});

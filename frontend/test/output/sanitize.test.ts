import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isAllowed,
  isClipOrRecord,
  isInFolder
} from '../../src/output/sanitize';

test('an address stays with the server or goes', () => {
  for (const near of [
    'hailuo/a.mp4',
    'my%20clips/%C3%BC.mp4',
    './a.mp4',
    'a..b/c.mp4',
    'a%3Ab.mp4',
    'a%23.mp4'
  ]) {
    assert.ok(isInFolder(near) && isClipOrRecord(near), near);
  }
  assert.ok(
    isClipOrRecord('hailuo/a.json') &&
      isInFolder('a.ipynb') &&
      !isClipOrRecord('a.ipynb') &&
      !isClipOrRecord('a.html')
  );
  for (const far of [
    ...[
      '//evil.example/a',
      '/api/shutdown',
      '\\\\evil.example\\a',
      'https://evil.example/',
      'HTTP:a'
    ],
    ...[
      'javascript:x',
      'java\tscript:x',
      ' //evil.example',
      'data:text/html,x',
      'blob:a',
      '%zz/a.mp4'
    ],
    ...[
      '../a.mp4',
      'a/../../b.mp4',
      'a%2f..%2f..%2fapi%2fa.mp4',
      '%2e%2e/%2E%2E/a.mp4',
      '..%2fa.mp4'
    ],
    ...[
      '%2fetc/a.mp4',
      '%5c%5cevil.example/a.mp4',
      'a%00.mp4',
      'logout?.mp4',
      'api/contents#.mp4'
    ]
  ]) {
    assert.ok(!isInFolder(far), far);
  }
});

test('pictures and clips are in the file or near, and styles fetch nothing', () => {
  assert.ok(isAllowed('img', 'src', 'data:image/jpeg;base64,AAAA'));
  assert.ok(isAllowed('video', 'poster', 'data:image/jpeg;base64,AAAA'));
  assert.ok(isAllowed('video', 'src', 'data:video/mp4;base64,AAAA'));
  assert.ok(isAllowed('video', 'src', 'data:video/webm;base64,AAAA'));
  assert.ok(!isAllowed('video', 'src', 'data:video/x-anything;base64,AAAA'));
  assert.ok(isAllowed('video', 'src', 'hailuo/a.mp4'));
  for (const kind of ['webm', 'mov', 'mkv', 'avi']) {
    assert.ok(
      isAllowed('video', 'src', `hailuo/a.${kind}`) &&
        isAllowed('a', 'href', `hailuo/a.${kind}`),
      kind
    );
  }
  assert.ok(
    !isClipOrRecord('hailuo/a.webm.html') && !isClipOrRecord('hailuo/a.ogv')
  );
  assert.ok(
    isAllowed(
      'div',
      'style',
      'border-left: 3px solid #2e9e4f; max-width: 880px'
    )
  );
  assert.ok(
    isAllowed(
      'div',
      'style',
      'grid-template-columns: repeat(2, calc((100% - 12px) / 2)); gap: 12px'
    )
  );
  assert.ok(isAllowed('img', 'style', 'grid-area: 1 / 1 / 2 / 2'));
  assert.ok(isAllowed('table', 'class', 'hailuo-grid'));
  for (const [tag, name, value] of [
    ['img', 'src', 'a.png'],
    ['img', 'src', 'data:image/svg+xml;base64,AAAA'],
    ['img', 'srcset', 'a.png 1x'],
    ['div', 'src', 'a.png'],
    ['video', 'autoplay', ''],
    ['video', 'poster', '//evil.example/a.png'],
    ['div', 'style', 'background: url(a.png)'],
    ['div', 'style', 'background: \\75rl(a.png)'],
    ['div', 'style', 'position: fixed; inset: 0'],
    ['div', 'style', 'color: red;POSITION:absolute'],
    ['div', 'style', 'display: block; z-index: 9'],
    ['div', 'style', 'margin: -900px 0 0 0'],
    ['div', 'style', 'transform: scale(9)'],
    ['div', 'style', '--jp-x: 1'],
    ['a', 'href', 'notebook.ipynb'],
    ['a', 'href', 'page.html'],
    ['a', 'href', 'hailuo/../../../api/shutdown.mp4'],
    ['video', 'src', 'a%2f..%2f..%2flogout.mp4'],
    ['video', 'src', 'page.html'],
    ['video', 'src', 'data:video/mp4;base64,AAAA" onerror="x'],
    ['video', 'srcset', 'a.mp4 1x'],
    ['image', 'href', 'a.svg'],
    ['use', 'href', 'a.svg#a'],
    ['div', 'onclick', 'x()'],
    ['div', 'id', 'main'],
    ['div', 'class', 'jp-Dialog'],
    ['button', 'data-commandlinker-command', 'x']
  ]) {
    assert.ok(!isAllowed(tag, name, value), `${tag} ${name}="${value}"`);
  }
});

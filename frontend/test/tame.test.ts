import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isNear, stays } from '../src/tame';

test('an address stays with the server or goes', () => {
  for (const near of ['hailuo/a.mp4', 'my%20clips/%C3%BC.mp4', './a.mp4', '../a.mp4', 'a%3Ab.mp4']) {
    assert.ok(isNear(near), near);
  }
  for (const far of [
    ...['//evil.example/a', '/api/shutdown', '\\\\evil.example\\a', 'https://evil.example/', 'HTTP:a'],
    ...['javascript:x', 'java\tscript:x', ' //evil.example', 'data:text/html,x', 'blob:a', '%zz/a.mp4']
  ]) {
    assert.ok(!isNear(far), far);
  }
});

test('pictures and clips are in the file or near, and styles fetch nothing', () => {
  assert.ok(stays('img', 'src', 'data:image/jpeg;base64,AAAA'));
  assert.ok(stays('video', 'poster', 'data:image/jpeg;base64,AAAA'));
  assert.ok(stays('video', 'src', 'data:video/mp4;base64,AAAA'));
  assert.ok(stays('video', 'src', 'hailuo/a.mp4'));
  assert.ok(stays('div', 'style', 'border-left: 3px solid #2e9e4f; max-width: 880px'));
  assert.ok(stays('table', 'class', 'hailuo-grid'));
  for (const [tag, name, value] of [
    ['img', 'src', 'a.png'],
    ['img', 'src', 'data:image/svg+xml;base64,AAAA'],
    ['img', 'srcset', 'a.png 1x'],
    ['div', 'src', 'a.png'],
    ['video', 'autoplay', ''],
    ['video', 'poster', '//evil.example/a.png'],
    ['div', 'style', 'background: url(a.png)'],
    ['div', 'style', 'background: \\75rl(a.png)'],
    ['div', 'onclick', 'x()'],
    ['div', 'id', 'main'],
    ['div', 'class', 'jp-Dialog'],
    ['button', 'data-commandlinker-command', 'x']
  ]) {
    assert.ok(!stays(tag, name, value), `${tag} ${name}="${value}"`);
  }
});

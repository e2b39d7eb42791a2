import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  isEdited,
  isHailuoCell,
  showsPrompt
} from '../../src/output/cellState';

const PROMPT = 'A heron lifts off.';

test('the prompt is not repeated where the cell above shows it', () => {
  for (const source of [
    `%%hailuo\n${PROMPT}`,
    `\n%%hailuo --mode pro\n\nA heron\nlifts off.\n`,
    `run = generate("${PROMPT}")`
  ]) {
    assert.ok(showsPrompt(source, PROMPT), source);
  }
  assert.ok(showsPrompt('%%hailuo\nA {{red}} heron', 'A {red} heron'));
  for (const source of [
    '%%hailuo\nA stork lifts off.',
    `%%hailuo\n${PROMPT} Then more.`,
    '%hailuo show fox',
    ''
  ]) {
    assert.ok(!showsPrompt(source, PROMPT), source);
  }
});

test('a cell that asks for something else is told from one that does not', () => {
  assert.ok(!isEdited(`%%hailuo\n${PROMPT}`, PROMPT, false));
  assert.ok(isEdited(`%%hailuo --mode pro\n${PROMPT}`, PROMPT, true));
  assert.ok(isEdited('%%hailuo\nA stork.', PROMPT, false));
  // What a variable holds now is not known, and other cells ask for nothing.
  assert.ok(!isEdited('%%hailuo\nA {bird} lifts off.', PROMPT, false));
  assert.ok(!isEdited('%hailuo show fox', PROMPT, false));
  assert.ok(isEdited('print(1)', PROMPT, true));
  assert.ok(isHailuoCell('%%hailuo\n'));
  assert.ok(!isHailuoCell('%%hailuo2\n'));
});

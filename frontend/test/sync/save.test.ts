import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import type { DocumentRegistry } from '@jupyterlab/docregistry';
import { Signal } from '@lumino/signaling';
import { Saver } from '../../src/sync/save';

const FILE = { writable: true, last_modified: '2026-03-01T10:00:00Z' };

type Arguments = ConstructorParameters<typeof Saver>;

interface IFakeModel {
  dirty: boolean;
  contentChanged: Signal<object, void>;
}

interface IFakeContext {
  model: IFakeModel;
  save(): Promise<void>;
}

/** Make a saver of a notebook with some properties, on a server with some file. */
function saver(
  context: object,
  onDisk: object | null = FILE,
  written: () => Promise<void> = () => Promise.resolve()
): {
  made: Saver;
  fake: IFakeContext;
  saved: () => number;
  state: (state: DocumentRegistry.SaveState) => void;
} {
  let saves = 0;
  const saveState = new Signal<object, DocumentRegistry.SaveState>({});
  const contentChanged = new Signal<object, void>({});
  const model = { dirty: true, contentChanged };
  const fake = {
    ...{ path: 'a.ipynb', contentsModel: FILE, model, saveState },
    ...context,
    save: async () => {
      saves++;
      await written();
      model.dirty = false;
    }
  };
  const get = (): Promise<object> =>
    onDisk ? Promise.resolve(onDisk) : Promise.reject(new Error('404'));
  const made = new Saver(
    fake as unknown as Arguments[0],
    { get } as unknown as Arguments[1]
  );
  return {
    made,
    fake,
    saved: () => saves,
    state: name => saveState.emit(name)
  };
}

/** Let time pass, and what follows from it happen. */
async function pass(ms: number): Promise<void> {
  mock.timers.tick(ms);
  await new Promise(done => setImmediate(done));
}

test('a burst is saved once', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const { made, saved } = saver({});
  for (let submit = 0; submit < 3; submit++) {
    made.request();
    await pass(400);
  }
  assert.equal(saved(), 0);
  await pass(200);
  assert.equal(saved(), 1);
  await pass(5000);
  assert.equal(saved(), 1);
  made.request();
  await pass(600);
  assert.equal(saved(), 2);
  made.request();
  made.dispose();
  await pass(600);
  assert.equal(saved(), 2);
  mock.timers.reset();
});

test("another's save serves the requests before it, and is never joined by ours", async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  const { made, saved, state } = saver({});
  made.request();
  state('started');
  await pass(600);
  state('completed');
  await pass(600);
  assert.equal(saved(), 0);
  state('started');
  made.request(); // too late for that save
  await pass(600);
  assert.equal(saved(), 0);
  state('completed');
  await pass(600);
  assert.equal(saved(), 1);
  // It starts while ours asks for the file.
  made.request();
  mock.timers.tick(600);
  state('started');
  await pass(0);
  assert.equal(saved(), 1);
  mock.timers.reset();
});

/** Begin a save of ours on a server that answers when it is told to. */
async function begin(): Promise<
  ReturnType<typeof saver> & {
    written: () => Promise<void>;
    failed: () => Promise<void>;
  }
> {
  const answers: { done: () => void; fail: (why: Error) => void }[] = [];
  const parts = saver(
    {},
    FILE,
    () => new Promise((done, fail) => answers.push({ done, fail }))
  );
  parts.made.request();
  await pass(600);
  assert.equal(parts.saved(), 1);
  const answer = async (act: (last: (typeof answers)[0]) => void) => {
    act(answers[answers.length - 1]);
    await pass(0);
  };
  return {
    ...parts,
    written: () => answer(last => last.done()),
    failed: () => answer(last => last.fail(new Error('500')))
  };
}

test("the user's save waits for ours, also for one that fails, and no longer", async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  for (const end of ['written', 'failed'] as const) {
    const { fake, saved, written, ...ends } = await begin();
    const users = fake.save();
    await pass(0);
    assert.equal(saved(), 1);
    await { written, failed: ends.failed }[end]();
    assert.equal(saved(), 2, end);
    await written();
    await users;
    void fake.save();
    assert.equal(saved(), 3);
  }
  mock.timers.reset();
});

test('a notebook that changes while it is saved has unsaved changes', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  for (const typed of [true, false]) {
    const { fake, written } = await begin();
    if (typed) {
      fake.model.contentChanged.emit();
    }
    await written();
    assert.equal(fake.model.dirty, typed);
    fake.model.contentChanged.emit(); // afterwards it is JupyterLab that marks it
    assert.equal(fake.model.dirty, typed);
  }
  mock.timers.reset();
});

const LATER = { ...FILE, last_modified: '2026-03-01T10:00:01Z' };

const REFUSED: [string, object, object | null][] = [
  ['it was never saved', { contentsModel: null }, FILE],
  ['it is read-only', { model: { readOnly: true } }, FILE],
  ['the server saves it', { model: { collaborative: true } }, FILE],
  [
    'it could not be written',
    { contentsModel: { ...FILE, writable: false } },
    FILE
  ],
  ['it cannot be written now', {}, { ...FILE, writable: false }],
  ['it has changed on disk', {}, LATER],
  ['it was deleted', {}, null]
];

test('what could end in a dialog is not saved', async () => {
  mock.timers.enable({ apis: ['setTimeout'] });
  for (const [why, context, onDisk] of REFUSED) {
    const { made, saved } = saver(context, onDisk);
    made.request();
    await pass(600);
    assert.equal(saved(), 0, why);
  }
  mock.timers.reset();
});

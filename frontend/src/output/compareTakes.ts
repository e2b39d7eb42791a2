/** Plays the takes of a cell side by side, in step. */

import { Dialog, showDialog } from '@jupyterlab/apputils';
import { DisposableSet } from '@lumino/disposable';
import { Widget } from '@lumino/widgets';
import type { RunRecord } from '../sync/records';
import { asObject } from '../sync/records';
import { SyncPlayer } from './syncPlayer';

/** Most clips beside each other; the latest ones. */
const MOST = 4;

/** A take to compare. */
export interface IComparedTake {
  readonly record: RunRecord;
  /** The take's number, from 1. */
  readonly number: number;
  /** Where the page finds the clip. */
  readonly url: string;
}

/** Show takes in a dialog. Only for trusted outputs. */
export async function compareTakes(
  all: readonly IComparedTake[]
): Promise<void> {
  const takes = all.slice(-MOST);
  const body = new Widget();
  body.addClass('hailuo-compare-takes');
  const videos = takes.map(({ url, number }) => {
    const video = document.createElement('video');
    video.src = url;
    video.preload = 'metadata';
    video.setAttribute('aria-label', `Take ${number}`);
    return video;
  });
  const row = document.createElement('div');
  row.className = 'hailuo-compared';
  takes.forEach(({ number }, at) => {
    const figure = document.createElement('figure');
    const caption = document.createElement('figcaption');
    caption.textContent = `Take ${number}`;
    figure.append(videos[at], caption);
    row.append(figure);
  });
  const lengths = takes.map(({ record }) => {
    const found = asObject(record.clip)?.duration_s;
    return typeof found === 'number' && found > 0 ? found : 0;
  });
  const parts = new DisposableSet();
  const player = new SyncPlayer(videos, lengths);
  parts.add(player);
  body.node.append(row, player.node);
  const answer = showDialog({
    title: 'Compare takes',
    body,
    buttons: [Dialog.okButton({ label: 'Close' })]
  });
  try {
    await answer;
  } finally {
    parts.dispose();
  }
}

/** Plays clips side by side, in step: the takes of a cell, or those ticked in a contact sheet. */

import { Dialog, showDialog } from '@jupyterlab/apputils';
import type { IRenderMime } from '@jupyterlab/rendermime-interfaces';
import { DisposableSet } from '@lumino/disposable';
import { Widget } from '@lumino/widgets';
import type { RunRecord } from '../sync/records';
import { asObject } from '../sync/records';
import { SyncPlayer } from './syncPlayer';

/** Most takes of a cell beside each other; the latest ones. */
const MOST_TAKES = 4;

/** A clip to compare. */
export interface IComparedClip {
  readonly record: RunRecord;
  /** What it is called: `Take 2`, or its place in a contact sheet. */
  readonly name: string;
  /** Its link, relative to the notebook; null if there is none. */
  readonly link: string | null;
}

/** Show the latest takes of a cell in a dialog. Only for trusted outputs. */
export async function compareTakes(
  takes: readonly RunRecord[],
  links: readonly (string | null)[],
  resolver: IRenderMime.IResolver | null
): Promise<void> {
  const clips = takes
    .map((record, at) => ({ record, name: `Take ${at + 1}`, link: links[at] }))
    .filter(({ link }) => link !== null);
  await compareClips('Compare takes', clips.slice(-MOST_TAKES), resolver);
}

/** Show clips in a dialog. Only for trusted outputs. */
export async function compareClips(
  title: string,
  clips: readonly IComparedClip[],
  resolver: IRenderMime.IResolver | null
): Promise<void> {
  const takes: { record: RunRecord; name: string; url: string }[] = [];
  for (const { record, name, link } of clips) {
    const path = link !== null && (await resolver?.resolveUrl(link));
    const url = path && (await resolver?.getDownloadUrl(path));
    if (url) {
      takes.push({ record, name, url });
    }
  }
  const body = new Widget();
  body.addClass('hailuo-compare-takes');
  const videos = takes.map(({ url, name }) => {
    const video = document.createElement('video');
    video.src = url;
    video.preload = 'metadata';
    video.setAttribute('aria-label', name);
    return video;
  });
  const row = document.createElement('div');
  row.className = 'hailuo-compared';
  row.classList.toggle('hailuo-mod-many', takes.length > 4);
  takes.forEach(({ name }, at) => {
    const figure = document.createElement('figure');
    const caption = document.createElement('figcaption');
    caption.textContent = name;
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
    title,
    body,
    buttons: [Dialog.okButton({ label: 'Close' })]
  });
  try {
    await answer;
  } finally {
    parts.dispose();
  }
}

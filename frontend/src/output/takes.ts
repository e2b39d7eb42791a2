/** The takes of a cell: its clips, from the notebook's metadata. Pure functions. */

import { costText, oneLine, plainText, providerTitle } from '../format';
import { startedAt } from '../runs/entries';
import type { RunRecord } from '../sync/records';
import { asObject, asRecord, isReference } from '../sync/records';
import { fileStem } from '../sync/sidecars';
import { addressOf, isInFolder } from './sanitize';

/**
 * List the takes of a cell, the oldest first: the run that it shows, and its earlier clips.
 *
 * @param home - `metadata.hailuo` of a trusted notebook.
 * @param cell - The cell's id.
 * @param shown - The run that the cell's output shows.
 */
export function takesOf(
  home: unknown,
  cell: string,
  shown: RunRecord
): RunRecord[] {
  const kept = Object.values(asObject(asObject(home)?.runs) ?? {})
    .map(asRecord)
    .filter(
      (record): record is RunRecord =>
        record !== null &&
        record.run_id !== shown.run_id &&
        record.state === 'completed' &&
        !asObject(record.clip)?.deleted &&
        !isReference(record) &&
        asObject(record.origin)?.cell_id === cell
    );
  // A run's id begins with the time at which it was made.
  return [...kept, shown].sort((one, other) =>
    one.run_id < other.run_id ? -1 : 1
  );
}

/**
 * Return the link to a take's clip, relative to the notebook, or null.
 *
 * @param record - The take.
 * @param beside - The link to the clip of another run in the same folder.
 */
export function takeLink(
  record: RunRecord,
  beside: string | null
): string | null {
  const path = asObject(record.clip)?.path;
  if (typeof path !== 'string' || beside === null) {
    return null;
  }
  const address = addressOf(path);
  const link = `${beside.replace(/[^/]*$/, '')}${address}`;
  return address !== null && isInFolder(link) ? link : null;
}

/** Escape a text for HTML. */
function escape(text: string): string {
  return text.replace(/[&<>"']/g, found => `&#${found.charCodeAt(0)};`);
}

function size(record: RunRecord): [number, number] {
  const clip = asObject(record.clip);
  const [width, height] = [clip?.width, clip?.height].map(side =>
    typeof side === 'number' && side > 0 ? side : 0
  );
  return width && height ? [width, height] : [16, 9];
}

/** Write an option as the kernel does: `6 s`, `resolution 768P`. */
function optionText(name: string, value: string): string {
  if (value === '') {
    return '';
  }
  return name === 'duration' ? `${value} s` : `${oneLine(name, 40)} ${value}`;
}

/**
 * Write a take as the kernel's template (`run.html.j2`) writes the run that a cell shows.
 *
 * Its picture is not in the notebook: without one, the player shows the clip's first frame.
 *
 * @param record - The take.
 * @param link - The link to its clip, or null.
 * @param poster - A picture of it as a data URI, or null.
 */
export function takeHtml(
  record: RunRecord,
  link: string | null,
  poster: string | null = null
): string {
  const [width, height] = size(record);
  const request = asObject(record.request);
  const options = Object.entries(asObject(request?.options) ?? {});
  const clip = asObject(record.clip);
  const number = (value: unknown): string =>
    typeof value === 'number' && Number.isFinite(value) ? String(value) : '?';
  const source = [
    providerTitle(record.provider),
    plainText(record.model, 60),
    ...options.map(([name, value]) => optionText(name, plainText(value, 60)))
  ].filter(Boolean);
  const began = startedAt(record);
  const facts = [
    source.join(' · '),
    `${width} × ${height}, ${number(clip?.fps)} fps, ${number(clip?.duration_s)} s`,
    // As the kernel writes it: 2026-11-30 17:33.
    began === null ? '' : new Date(began).toLocaleString('sv').slice(0, 16)
  ].filter(Boolean);
  const prompt = oneLine(request?.prompt, 280);
  const id = escape(record.run_id);
  const picture = poster === null ? '' : ` poster="${escape(poster)}"`;
  const video =
    link === null
      ? ''
      : '<div class="hailuo-media" style="width: 480px; max-width: 100%"><div class="hailuo-clip" ' +
        `style="display: grid; grid-template-columns: 100%"><video controls loop preload="none" ` +
        `width="${width}" height="${height}" src="${escape(link)}"${picture} title="Clip of run ${id}" ` +
        'style="display: block; width: 100%; height: 100%"></video></div></div>';
  const title = oneLine(record.name, 40);
  const name = link === null ? '' : escape(decodeURIComponent(link));
  const sidecar = `${link?.replace(/[^/]*$/, '') ?? ''}${fileStem(record)}.json`;
  return (
    '<div><div class="hailuo-frame" style="max-width: 920px; margin: 4px 0; padding: 2px 0 2px 12px; ' +
    'border-left: 3px solid #2e9e4f; font-size: 13px; line-height: 1.5">' +
    `<div class="hailuo-columns" style="display: flex; flex-wrap: wrap; gap: 6px 16px">${video}` +
    '<div class="hailuo-side"><div class="hailuo-title"><span class="hailuo-mark" aria-hidden="true" ' +
    'style="font-weight: 600">✓</span> ' +
    (title
      ? `<strong class="hailuo-name"><bdi>${escape(title)}</bdi></strong>&nbsp;· `
      : '') +
    '<strong class="hailuo-state">Completed</strong>&nbsp;· ' +
    `<span style="opacity: 0.78">${escape(costText(record))}</span></div>` +
    facts
      .map(
        each =>
          `<div class="hailuo-facts" style="opacity: 0.78">${escape(each)}</div>`
      )
      .join('') +
    `<div class="hailuo-prompt" dir="auto">${escape(prompt)}</div>` +
    (link === null
      ? '<div class="hailuo-absent">The clip is not in the folder of the clip shown here.</div>'
      : `<div class="hailuo-files"><a href="${escape(link)}"><bdi>${name}</bdi></a>` +
        ` · <a href="${escape(sidecar)}">Record (JSON)</a></div>`) +
    '<div class="hailuo-fold"></div></div></div></div></div>'
  );
}

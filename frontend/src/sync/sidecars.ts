/**
 * The records beside the clips, by which a notebook catches up without a kernel.
 *
 * A run goes on where its notebook is closed and its kernel is gone: the server's collector fetches the
 * clip and writes its record beside it.
 */

import type { JsonObject, RunRecord } from './records';
import { asObject, asRecord, isSettled, MIME, recordsOf } from './records';
import type { Tone } from '../format';
import { costText, oneLine, providerTitle, stateText, toneOf } from '../format';
import { DRAWN_BY_PAGE, isPlain } from './repair';

/** The largest file that can be a record; as in `record/sidecar.py`. */
export const MOST_BYTES = 2 * 1024 * 1024;

/** The colors of `kernel/display/bundle.py`; a test compares them. */
export const COLORS: Readonly<Record<Tone, string>> = {
  working: '#3b82f6',
  waiting: '#b7791f',
  done: '#2e9e4f',
  broken: '#e5484d'
};

const LINK = /\b[a-z][a-z0-9+.-]{1,15}:(?:\\?\/){2}[^\s"'<>`]+/gi;

/** A file or a job; neither a key by its form nor what a folder such as `token/` calls one. */
const NAME = /^(?!SG_|sk-|eyJ)[\w.-]{1,100}$/;
const SECRETS =
  /(?:^|\/)(?:token|sig|signature|hmac|jwt|auth|secret|key|api_?key|access_?token)$/i;

/** Check whether more may have become of a run since its output was saved. */
export function isUnfinished(record: RunRecord): boolean {
  return record.state === 'unconfirmed' || !isSettled(record);
}

/**
 * Return the record in a sidecar if it continues the one in an output, as a notebook may hold it.
 *
 * @param text - The file.
 * @param shown - The output's record.
 * @param notebook - The notebook's id.
 * @returns Null if run, request or notebook is another one, or nothing is new.
 */
export function laterRecord(
  text: string,
  shown: RunRecord,
  notebook: string
): RunRecord | null {
  let found: RunRecord | null = null;
  try {
    found = asRecord(JSON.parse(text));
  } catch {
    return null; // no JSON
  }
  const whose = (record: RunRecord): unknown =>
    asObject(record.origin)?.notebook_id;
  return found !== null &&
    found.run_id === shown.run_id &&
    typeof found.fingerprint === 'string' &&
    found.fingerprint === shown.fingerprint &&
    whose(found) === notebook &&
    whose(shown) === notebook &&
    found.revision > shown.revision
    ? withoutLinks(found)
    : null;
}

/**
 * Return a record with the links to its media shortened, as `links.py` does for what leaves a machine.
 *
 * A sidecar keeps them whole, since anyone who has them can open the clip.
 */
function withoutLinks(record: RunRecord): RunRecord {
  const job = asObject(record.job);
  if (job === null) {
    return record;
  }
  const link = job.media_link;
  const told =
    typeof link === 'string' ? { media_link: hostAndName(link) } : {};
  return {
    ...record,
    job: { ...job, answers: shortened(job.answers ?? null), ...told }
  };
}

function shortened(value: unknown): unknown {
  if (typeof value === 'string') {
    return value.replace(LINK, found => {
      const link = found.replace(/[.,;:!?)\]}\\]+$/, '');
      return hostAndName(link.replace(/\\\//g, '/')) + found.slice(link.length);
    });
  }
  if (Array.isArray(value)) {
    return value.map(shortened);
  }
  const found = asObject(value);
  return found
    ? Object.fromEntries(
        Object.entries(found).map(([name, inner]) => [name, shortened(inner)])
      )
    : value;
}

function hostAndName(link: string): string {
  let url: URL;
  try {
    url = new URL(link);
  } catch {
    return '[redacted]';
  }
  if (!/^https?:$/.test(url.protocol)) {
    return '[redacted]';
  }
  const at = url.pathname.lastIndexOf('/');
  const [folders, name] = [
    url.pathname.slice(0, at),
    url.pathname.slice(at + 1)
  ];
  const told = NAME.test(name) && !SECRETS.test(folders) ? name : '';
  return `${url.protocol}//${url.host}/${/[^/]/.test(folders) ? '…/' : ''}${told}`;
}

/**
 * Return the name of a run's files without the suffix.
 *
 * A record may name any other file: its stem counts only if it is of the form that `record/paths.py` makes.
 */
export function fileStem(record: RunRecord): string {
  const { stem, run_id } = record;
  const named =
    typeof stem === 'string' &&
    /^[a-z0-9][a-z0-9-]{0,39}-[0-9a-z]{6}$/.test(stem) &&
    stem.endsWith(`-${run_id.slice(-6)}`);
  return named ? stem : run_id;
}

/** Return the name of a record's clip, or null if it has none. */
export function clipName(record: RunRecord): string | null {
  const path = asObject(record.clip)?.path;
  const stem = fileStem(record);
  const ending = typeof path === 'string' && path.slice(stem.length);
  return record.state === 'completed' &&
    ending &&
    path === stem + ending &&
    /^\.(?:mp4|webm|mov|mkv|avi)$/.test(ending)
    ? path
    : null;
}

/**
 * Return a bundle in place of an output's own, drawn from its runs' later records alone.
 *
 * Nothing of a file goes into the HTML but text, escaped. A kernel that knows the run replaces it by a
 * fuller one.
 *
 * @param stored - The output's bundle.
 * @param later - Later records, by run id.
 * @param folder - The folder of the clips, relative to the notebook.
 * @param there - The names of the clips that are there.
 * @returns Null if nothing is new, or the output is more than its runs: a panel, a sweep, a comparison.
 */
export function drawBundle(
  stored: unknown,
  later: ReadonlyMap<string, RunRecord>,
  folder: string,
  there: ReadonlySet<string>
): JsonObject | null {
  const before = recordsOf(stored);
  const records = before.map(record => later.get(record.run_id) ?? record);
  if (
    !isPlain(stored) ||
    records.every((record, at) => record === before[at])
  ) {
    return null;
  }
  const parts = records.map(record => {
    const name = clipName(record);
    const clip = name !== null && there.has(name) ? `${folder}/${name}` : null;
    return drawRun(record, clip);
  });
  return {
    'text/plain': records.map(lineOf).join('\n'),
    'text/html': `<div style="max-width: 100%">${parts.join('')}</div>${DRAWN_BY_PAGE}`,
    [MIME]: records.length === 1 ? records[0] : { runs: records }
  };
}

function lineOf(record: RunRecord): string {
  return `Hailuo run ${record.run_id}: ${stateText(record.state)}`;
}

function drawRun(record: RunRecord, clip: string | null): string {
  const request = asObject(record.request);
  const told = [providerTitle(record.provider), oneLine(record.model, 80)];
  const problem = asObject(record.problem);
  const lines = [
    oneLine(request?.prompt, 280),
    costText(record),
    ...['what', 'money', 'todo'].map(name => oneLine(problem?.[name], 300))
  ];
  const text = [
    `<strong>${escape(stateText(record.state))}</strong> · ${escape(told.filter(Boolean).join(' · '))}`,
    ...lines.filter(Boolean).map(line => `<bdi>${escape(line)}</bdi>`),
    ...(clip === null ? [] : [linkTo(clip)])
  ];
  const [first, ...rest] = text.map(line => `<div>${line}</div>`);
  return (
    '<div style="box-sizing: border-box; min-width: 0; max-width: 880px; margin: 4px 0; ' +
    `padding: 2px 0 2px 12px; border-left: 3px solid ${COLORS[toneOf(record)]}; font-size: 13px; ` +
    `line-height: 1.5; overflow-wrap: break-word">${first}${drawClip(record, clip)}${rest.join('')}</div>`
  );
}

function drawClip(record: RunRecord, clip: string | null): string {
  if (clip === null) {
    return '';
  }
  const [width, height] = ['width', 'height'].map(name => {
    const size = asObject(record.clip)?.[name];
    return Number.isInteger(size) && Number(size) > 0 ? Number(size) : 0;
  });
  const wide =
    width && height ? Math.min(width, Math.round((480 * width) / height)) : 854;
  return (
    `<video controls loop preload="metadata" src="${quoted(clip)}" ` +
    `title="Clip of run ${escape(record.run_id)}" style="display: block; width: 100%; height: auto; ` +
    `max-width: ${wide}px; margin: 4px 0 8px 0; border-radius: 4px; background-color: #000"></video>`
  );
}

function linkTo(clip: string): string {
  return `<a href="${quoted(clip)}"><bdi>${escape(clip)}</bdi></a>`;
}

function quoted(path: string): string {
  return path.split('/').map(encodeURIComponent).join('/');
}

function escape(text: string): string {
  return text.replace(
    /[&<>"']/g,
    found =>
      ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&#34;' })[found] ??
      '&#39;'
  );
}

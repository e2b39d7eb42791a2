/** Pictures of clips of which the notebook holds none: earlier takes, and runs whose cell is gone. */

const WIDTH = 320;

/** Most pictures that are kept, the latest ones. */
const MOST = 200;

/** The pictures that this page has seen or drawn, by run. */
export class Posters {
  /** Return the picture of a run's clip as a data URI, or null. */
  get(run: string): string | null {
    return this._uris.get(run) ?? null;
  }

  /** Keep a picture that a trusted output shows. */
  keep(run: string, uri: string): void {
    this._uris.delete(run);
    this._uris.set(run, uri);
    const [oldest] = this._uris.keys();
    if (this._uris.size > MOST) {
      this._uris.delete(oldest);
    }
  }

  private readonly _uris = new Map<string, string>();
}

/** How long a clip may take to load its first frame. */
const LOAD_MS = 20000;

/**
 * Draw a picture of a clip: its first frame.
 *
 * @param url - Where the page finds the clip.
 * @param patience - How long to wait for it, in milliseconds.
 * @returns A data URI; null if the clip can't be played, or does not load in time.
 */
export async function drawPoster(
  url: string,
  patience = LOAD_MS
): Promise<string | null> {
  const video = document.createElement('video');
  video.muted = true;
  video.preload = 'auto';
  const loaded = new Promise<boolean>(done => {
    video.addEventListener('loadeddata', () => done(true), { once: true });
    video.addEventListener('error', () => done(false), { once: true });
    setTimeout(() => done(false), patience);
  });
  video.src = url;
  try {
    if (!(await loaded) || video.videoWidth === 0) {
      return null;
    }
    const canvas = document.createElement('canvas');
    canvas.width = WIDTH;
    canvas.height = Math.round((WIDTH * video.videoHeight) / video.videoWidth);
    canvas
      .getContext('2d')
      ?.drawImage(video, 0, 0, canvas.width, canvas.height);
    return canvas.toDataURL('image/jpeg', 0.8);
  } catch {
    return null;
  } finally {
    video.removeAttribute('src');
    video.load(); // lets go of the connection
  }
}

/** What the page adds to the panel, whose fields are ipywidgets: keys, and files that are dropped. */

/** In base64 it still fits into a message of 10 MiB, the most that the server passes to a kernel. */
const MOST_BYTES = 7 * 1024 * 1024;

const ELSEWHERE = "Save it next to the notebook and choose 'path or URL'.";

/** Let Ctrl+Enter (or Command+Enter) in the panel's form press its main button. */
export function submitWithKeys(node: HTMLElement): void {
  const press = (event: KeyboardEvent): void => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey)) {
      return;
    }
    const { target } = event;
    const form =
      target instanceof HTMLElement ? target.closest('.hailuo-form') : null;
    const button = form?.querySelector<HTMLButtonElement>(
      'button.hailuo-generate:enabled'
    );
    if (form) {
      event.preventDefault();
      event.stopPropagation();
    }
    button?.click();
  };
  // ipywidgets does not pass on the keys pressed in a text field to listeners of the elements around it.
  node.addEventListener('keydown', press, { capture: true });
}

/** Let images be dropped onto the zones of the frames: a file, or an address. */
export function acceptDrops(node: HTMLElement): void {
  const over = (event: DragEvent): HTMLElement | null => {
    const { target, dataTransfer } = event;
    const types = dataTransfer?.types ?? [];
    return target instanceof Element &&
      (types.includes('Files') || types.includes('text/uri-list'))
      ? target.closest<HTMLElement>('.hailuo-zone')
      : null;
  };
  node.addEventListener('dragover', event => {
    const zone = over(event);
    if (zone) {
      event.preventDefault();
      zone.classList.add('hailuo-mod-over');
    }
  });
  node.addEventListener('dragleave', event => {
    over(event)?.classList.remove('hailuo-mod-over');
  });
  node.addEventListener('drop', event => {
    const zone = over(event);
    const { dataTransfer } = event;
    if (!zone || !dataTransfer) {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
    zone.classList.remove('hailuo-mod-over');
    void readDrop(dataTransfer, readAsDataUri).then(({ text, problem }) => {
      say(zone, problem);
      put(zone, text);
    });
  });
}

/** What was dropped: a text for the kernel, or why there is none; the other is empty. */
export interface IDropped {
  readonly text: string;
  readonly problem: string;
}

/**
 * Read what was dropped.
 *
 * @param transfer - What the browser has of it.
 * @param read - Reads a file as a `data:` URI.
 */
export async function readDrop(
  transfer: Pick<DataTransfer, 'files' | 'getData'>,
  read: (file: File) => Promise<string>
): Promise<IDropped> {
  const file = transfer.files.item(0);
  if (file === null) {
    const [text] = transfer.getData('text/uri-list').split(/\r?\n/);
    return /^https?:/.test(text)
      ? { text, problem: '' }
      : refused('Only files and http(s) addresses can be dropped here.');
  }
  if (file.size > MOST_BYTES) {
    const size = Math.round(file.size / 1e6);
    return refused(`Too large to drop (${size} MB). ${ELSEWHERE}`);
  }
  return read(file).then(
    text => ({ text, problem: '' }),
    () => refused(`The browser can't read this file. ${ELSEWHERE}`)
  );
}

function refused(problem: string): IDropped {
  return { text: '', problem };
}

function readAsDataUri(file: File): Promise<string> {
  return new Promise((done, fail) => {
    const reader = new FileReader();
    reader.onload = () => done(String(reader.result));
    reader.onerror = () => fail(reader.error);
    reader.readAsDataURL(file);
  });
}

/** Show a problem in the zone's line, which is read aloud; the kernel writes there next. */
function say(zone: HTMLElement, problem: string): void {
  const line = zone.querySelector('.hailuo-says [aria-live]');
  if (line && problem) {
    line.textContent = problem;
    line.className = 'hailuo-wrong';
  }
}

/** Pass a text to the kernel through the zone's hidden field. */
function put(zone: HTMLElement, text: string): void {
  const field = zone.querySelector<HTMLTextAreaElement>(
    '.hailuo-dropped textarea'
  );
  if (field && text) {
    field.value = text;
    field.dispatchEvent(new Event('input', { bubbles: true }));
  }
}

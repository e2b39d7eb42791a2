/** A queue for slow rendering: near the viewport first, the rest when the page is idle. */

import type { IDisposable } from '@lumino/disposable';

/** How far ahead of the viewport to render. */
const MARGIN = '600px 0px';

const queue = new Map<Element, () => void>();

// Browsers without scrollMargin ignore it and render only what is in view.
const options = { rootMargin: MARGIN, scrollMargin: MARGIN };
let observer: IntersectionObserver | null = null;
let idle = false;

/**
 * Queue an element for rendering.
 *
 * @param node - The element; it is rendered when it comes near the viewport.
 * @param draw - Called once, unless the returned object is disposed of first.
 */
export function enqueueRender(node: Element, draw: () => void): IDisposable {
  observer ??= new IntersectionObserver(onIntersect, options);
  queue.set(node, draw);
  observer.observe(node);
  scheduleIdle();
  return {
    get isDisposed() {
      return queue.get(node) !== draw;
    },
    dispose() {
      if (!this.isDisposed) {
        remove(node);
      }
    }
  };
}

function onIntersect(entries: readonly IntersectionObserverEntry[]): void {
  entries
    .filter(entry => entry.isIntersecting)
    .forEach(entry => render(entry.target));
}

function scheduleIdle(): void {
  if (!idle && queue.size > 0) {
    idle = true;
    const next = (left: () => number): void => {
      idle = false;
      do {
        const [node] = queue.keys();
        render(node);
      } while (queue.size > 0 && left() > 5);
      scheduleIdle();
    };
    if (window.requestIdleCallback) {
      window.requestIdleCallback(deadline =>
        next(() => deadline.timeRemaining())
      );
    } else {
      setTimeout(() => next(() => 0), 50);
    }
  }
}

function render(node: Element | undefined): void {
  const draw = node && queue.get(node);
  if (node && draw) {
    remove(node);
    draw();
  }
}

function remove(node: Element): void {
  queue.delete(node);
  observer?.unobserve(node);
}

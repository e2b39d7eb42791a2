/** What takes time to draw is drawn when it comes near the view, or else when the page is idle. */

import type { IDisposable } from '@lumino/disposable';

/** Drawn this far ahead of where one scrolls to. */
const AHEAD = '600px 0px';

const waiting = new Map<Element, () => void>();

// Browsers that know no scrollMargin ignore it, and draw what is in view alone.
const options = { rootMargin: AHEAD, scrollMargin: AHEAD };
let observer: IntersectionObserver | null = null;
let idle = false;

/**
 * Have an element drawn in its turn.
 *
 * @param node - What has to be in view, or near it.
 * @param draw - Is called once, unless what is returned has been disposed of before.
 */
export function inTurn(node: Element, draw: () => void): IDisposable {
  observer ??= new IntersectionObserver(seen, options);
  waiting.set(node, draw);
  observer.observe(node);
  whenIdle();
  return {
    get isDisposed() {
      return waiting.get(node) !== draw;
    },
    dispose() {
      if (!this.isDisposed) {
        leave(node);
      }
    }
  };
}

function seen(entries: readonly IntersectionObserverEntry[]): void {
  entries.filter(entry => entry.isIntersecting).forEach(entry => go(entry.target));
}

function whenIdle(): void {
  if (!idle && waiting.size > 0) {
    idle = true;
    const next = (left: () => number): void => {
      idle = false;
      do {
        const [node] = waiting.keys();
        go(node);
      } while (waiting.size > 0 && left() > 5);
      whenIdle();
    };
    if (window.requestIdleCallback) {
      window.requestIdleCallback(deadline => next(() => deadline.timeRemaining()));
    } else {
      setTimeout(() => next(() => 0), 50);
    }
  }
}

function go(node: Element | undefined): void {
  const draw = node && waiting.get(node);
  if (node && draw) {
    leave(node);
    draw();
  }
}

function leave(node: Element): void {
  waiting.delete(node);
  observer?.unobserve(node);
}

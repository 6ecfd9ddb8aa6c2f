// The server's events, for as long as somebody looks at the page.

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 2000;

/** A connection that is silent for so long is given up: a cable that was pulled does not say so. */
const SILENCE_MS = 3000;

export class Stream {
  /**
   * @param {string} url
   * @param {Record<string, (said: any) => void>} listeners by the event's name
   * @param {() => void} onOpen called for each new connection
   */
  constructor(url, listeners, onOpen) {
    this.url = url;
    this.listeners = listeners;
    this.onOpen = onOpen;
    /** @type {EventSource | null} */
    this.source = null;
    this.waitMs = FIRST_WAIT_MS;
    this.retry = 0;
    this.silence = 0;
    document.addEventListener("visibilitychange", () => {
      // A hidden page would hold one of the few connections that a browser has for this box.
      if (document.hidden) this.close();
      else this.open();
    });
    window.addEventListener("pagehide", () => this.close());
    window.addEventListener("pageshow", () => this.open());
  }

  open() {
    if (this.source || document.hidden) return;
    clearTimeout(this.retry);
    const source = new EventSource(this.url);
    this.source = source;
    source.addEventListener("open", () => this.onOpen());
    source.addEventListener("error", () => this.again());
    for (const [name, listener] of Object.entries(this.listeners)) {
      source.addEventListener(name, (event) => {
        this.waitMs = FIRST_WAIT_MS;
        this.listen();
        listener(JSON.parse(/** @type {MessageEvent} */ (event).data));
      });
    }
    this.listen();
  }

  close() {
    clearTimeout(this.retry);
    clearTimeout(this.silence);
    this.source?.close();
    this.source = null;
  }

  /** Tries again after a while, each time a longer one. */
  again() {
    this.close();
    const waitMs = this.waitMs * (0.75 + 0.5 * Math.random());
    this.waitMs = Math.min(2 * this.waitMs, LONGEST_WAIT_MS);
    this.retry = setTimeout(() => this.open(), waitMs);
  }

  listen() {
    clearTimeout(this.silence);
    this.silence = setTimeout(() => this.again(), SILENCE_MS);
  }
}

// How old is what the page shows? Judged by monotonic time only: the server says how old its news was when it sent it,
// and the page adds what has gone by since, on its own stopwatch.

/** The promise is NO DATA within 1 s; the rest is for the timer and the paint. */
export const LIMIT_MS = 900;

/** The server says something every 0.2 s; after so long it has missed two of its turns. */
const SILENT_MS = 600;

/** Delays are compared with the shortest of the last 5 to 10 minutes, so that two clocks may drift apart. */
const WINDOW_MS = 300_000;

export class Freshness {
  /**
   * @param {(isFresh: boolean) => void} onChange
   * @param {() => number} [now] ms of a stopwatch
   */
  constructor(onChange, now = () => performance.now()) {
    this.onChange = onChange;
    this.now = now;
    this.isFresh = false;
    /** When the news gets too old, on the stopwatch. */
    this.staleAt = -Infinity;
    /** The last time anything at all was heard. */
    this.heardAt = -Infinity;
    /** How old the station's last word was then; `null` where it has never said any. @type {number | null} */
    this.ageMs = null;
    this.timer = 0;
    this.begin();
  }

  /** A new connection: delays of the one before do not count. */
  begin() {
    this.leads = [-Infinity, -Infinity];
    this.windowEnds = this.now() + WINDOW_MS;
  }

  /**
   * News has come.
   * @param {number | null} ageMs how old it was when it was sent
   * @param {number} sentMs when that was, on the server's stopwatch
   */
  heard(ageMs, sentMs) {
    const now = this.now();
    this.heardAt = now;
    this.ageMs = ageMs === null ? null : ageMs + this.delay(sentMs - now);
    this.staleAt = this.ageMs === null ? -Infinity : now + LIMIT_MS - this.ageMs;
    this.look();
  }

  /** How old the station's last word is now; `null` where it has never said any. */
  age() {
    return this.ageMs === null ? null : this.ageMs + this.now() - this.heardAt;
  }

  /** Whether the server itself is silent. */
  isServerSilent() {
    return this.now() - this.heardAt > SILENT_MS;
  }

  /** Sees whether the news is still fresh, and when to look again. */
  look() {
    clearTimeout(this.timer);
    const left = this.staleAt - this.now();
    const isFresh = left > 0;
    if (isFresh) this.timer = setTimeout(() => this.look(), Math.ceil(left));
    if (isFresh !== this.isFresh) {
      this.isFresh = isFresh;
      this.onChange(isFresh);
    }
  }

  /**
   * How much longer this message was under way than the fastest one.
   * @param {number} lead of the server's stopwatch over the page's when it arrived
   */
  delay(lead) {
    if (this.now() > this.windowEnds) {
      this.leads = [this.leads[1], -Infinity];
      this.windowEnds = this.now() + WINDOW_MS;
    }
    this.leads[1] = Math.max(this.leads[1], lead);
    return Math.max(...this.leads) - lead;
  }
}

/**
 * Sets back the animation that veils the page by itself: it runs on when this script hangs, and then says so.
 * @param {Element} veil
 */
export function holdOff(veil) {
  for (const animation of veil.getAnimations()) animation.currentTime = 0;
}

// What `python -m tests.browser.figures` measures within a page: when a part is seen, and every frame of a long scroll.

globalThis.takt = {
  now: () => performance.timeOrigin + performance.now(),

  /** When the browser first painted something, in ms since the navigation began; null before. */
  painted: () => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null,

  /** When the first element of a selector came, and when it was on the screen, in ms since the navigation began. */
  awaitFirst(selector) {
    const seen = { come: 0, shown: 0 };
    const look = () => {
      if (seen.come || !document.querySelector(selector)) return;
      seen.come = performance.now();
      requestAnimationFrame(() => requestAnimationFrame(() => (seen.shown = performance.now())));
    };
    new MutationObserver(look).observe(document, { childList: true, subtree: true });
    return seen;
  },

  /** Notes by its number when each part's verdict was on the page, and when the next frame began. */
  watchParts() {
    const noted = (this.parts = {});
    const look = () => {
      const at = this.now();
      for (const tile of document.querySelectorAll("#strip .tile[data-verdict]")) {
        const number = tile.querySelector(".mark")?.lastElementChild?.textContent;
        if (!number || noted[number] || !["pass", "reject"].includes(tile.dataset.verdict)) continue;
        const note = (noted[number] = { changed: at, framed: 0 });
        requestAnimationFrame(() => (note.framed = this.now()));
      }
    };
    look();
    for (const number of Object.keys(noted)) noted[number].changed = 0; // they were there before
    const options = { childList: true, subtree: true, attributes: true, attributeFilter: ["data-verdict"] };
    new MutationObserver(look).observe(document.querySelector("#strip"), options);
  },

  /**
   * Scrolls through a list of rows, nearly a window with each frame, to its end.
   * @param {number} total rows that there are
   */
  async scroll(total) {
    const frame = document.querySelector("#window");
    const seen = new Set();
    const result = { frames_ms: [], blank_frames: 0, rows: 0, waits_ms: [], gaps: 0 };
    let before = 0;
    let waited = 0;
    let isMoved = false;
    const started = performance.now();
    while (performance.now() - started < 300_000) {
      const at = await new Promise(requestAnimationFrame);
      if (before && isMoved) result.frames_ms.push(at - before);
      const rows = [...frame.querySelectorAll(".row")];
      const box = frame.getBoundingClientRect();
      const inSight = rows.filter((each) => {
        const place = each.getBoundingClientRect();
        return place.bottom > box.top && place.top < box.bottom;
      });
      const height = rows[0]?.getBoundingClientRect().height ?? 1;
      for (const each of inSight) seen.add(Number(each.getAttribute("aria-rowindex")));
      const wanted = Math.min(Math.floor(frame.clientHeight / height), total);
      if (inSight.length < wanted) result.blank_frames += 1;
      if (seen.has(total)) break;
      const top = frame.scrollTop;
      frame.scrollTop = top + frame.clientHeight * 0.9;
      isMoved = frame.scrollTop !== top;
      if (isMoved && waited) {
        result.waits_ms.push(at - waited);
        waited = 0;
      } else if (!isMoved && !waited) {
        waited = at;
      }
      before = at;
    }
    result.rows = seen.size;
    for (let row = 1; row <= total; row += 1) if (!seen.has(row)) result.gaps += 1;
    return result;
  },
};

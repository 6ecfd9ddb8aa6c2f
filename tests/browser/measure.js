// What the tests measure on a page: contrast of every visible text, size of every key, and when it goes NO DATA.

globalThis.measure = {
  // Relative luminance and contrast by WCAG 2.2.
  channel: (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4),
  luminance([r, g, b]) {
    const [red, green, blue] = [r, g, b].map((each) => this.channel(each / 255));
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  },
  contrast(a, b) {
    const [dark, light] = [this.luminance(a), this.luminance(b)].sort((x, y) => x - y);
    return (light + 0.05) / (dark + 0.05);
  },

  colour(words) {
    const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    canvas.fillStyle = words;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  },
  over: (top, under) => [0, 1, 2].map((i) => top[i] * top[3] + under[i] * (1 - top[3])),

  ground(element) {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      const colour = this.colour(getComputedStyle(each).backgroundColor);
      if (colour[3] > 0) layers.push(colour);
      if (colour[3] === 1) break;
    }
    return layers.reverse().reduce((under, top) => this.over(top, under), [255, 255, 255]);
  },
  isSeen(element) {
    for (let each = element; each; each = each.parentElement) {
      const style = getComputedStyle(each);
      if (style.display === "none" || style.visibility === "hidden" || Number(style.opacity) < 0.02) return false;
      if (style.clipPath !== "none" || each.tagName === "NOSCRIPT") return false;
    }
    const box = element.getBoundingClientRect();
    return box.width > 1 && box.height > 1 && box.right > 0 && box.bottom > 0;
  },

  // Every visible text: its words and its contrast.
  texts() {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement;
      const words = node.textContent.trim();
      if (!words || !this.isSeen(element)) continue;
      const isDrawn = element instanceof SVGElement;
      const style = getComputedStyle(element);
      const ink = this.colour(isDrawn ? style.fill : style.color);
      const ground = isDrawn
        ? this.colour(getComputedStyle(element.parentElement.querySelector(".ground")).fill)
        : this.ground(element);
      found.push({ words, contrast: this.contrast(this.over(ink, ground), ground) });
    }
    return found;
  },

  // Every key that can be touched: its words and its sides in CSS pixels.
  keys() {
    return [...document.querySelectorAll("button, a, input, select, summary")]
      .filter((each) => this.isSeen(each))
      .map((each) => {
        const { width, height } = each.getBoundingClientRect();
        return { words: each.textContent.trim() || each.getAttribute("aria-label"), width, height };
      });
  },

  // Text that its own box cuts off.
  cutOff() {
    return [...document.querySelectorAll("strong, h1, h2, dd, dt, p, span")]
      .filter((each) => this.isSeen(each) && each.children.length === 0 && each.scrollWidth > each.clientWidth + 1)
      .filter((each) => getComputedStyle(each).display !== "inline")
      .map((each) => each.textContent);
  },

  // From now on: when the page goes NO DATA, and how late its own timers are.
  watch() {
    this.lostAt = 0;
    this.latest = 0;
    let due = performance.now() + 20;
    setInterval(() => {
      this.latest = Math.max(this.latest, performance.now() - due);
      due = performance.now() + 20;
    }, 20);
    new MutationObserver(() => {
      if (document.body.dataset.live === "no") this.lostAt ||= performance.timeOrigin + performance.now();
    }).observe(document.body, { attributes: true, attributeFilter: ["data-live"] });
  },
};

// The pad of a PIN: ten keys, one that takes the last digit back, and one that is done. Digits of a keyboard do too.

const MOST = 12;

export class Pad {
  /**
   * @param {HTMLElement} root with one `input` and keys that carry `data-digit` or `data-deed`
   * @param {() => void} onDone
   */
  constructor(root, onDone) {
    this.input = /** @type {HTMLInputElement} */ (root.querySelector("input"));
    this.dots = root.querySelector("[data-dots]");
    this.input.addEventListener("input", () => this.enter(this.input.value));
    root.addEventListener("click", (event) => {
      const key = /** @type {Element} */ (event.target).closest("button");
      if (!key) return;
      if (key.dataset.digit) this.enter(this.input.value + key.dataset.digit);
      else if (key.dataset.deed === "back") this.enter(this.input.value.slice(0, -1));
      else if (key.dataset.deed === "done") onDone();
    });
  }

  get value() {
    return this.input.value;
  }

  clear() {
    this.enter("");
  }

  /** @param {string} typed */
  enter(typed) {
    this.input.value = typed.replace(/\D/g, "").slice(0, MOST);
    if (this.dots) this.dots.textContent = "●".repeat(this.input.value.length);
  }
}

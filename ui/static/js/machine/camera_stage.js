// The picture of a camera on its stage: whole, or in its own pixels at a tap; with crosshair, thirds and the box that
// the focus score is of. All of it is drawn on one canvas, so that a picture never stands without its marks.

const TAP_PX = 8;
const LEAST_BOX_PX = 16;
const STEP_PX = 120;
const MOST_PX = 960;
const CENTRE = 3;

/** @typedef {[number, number, number, number]} Box x, y, width, height in pixels of the picture */
/** @typedef {{ image: HTMLImageElement, box: Box }} Piece what was fetched, and which part of the picture it is */

export class Stage {
  /**
   * @param {HTMLElement} host
   * @param {HTMLCanvasElement} canvas
   * @param {{ onBox: (box: Box) => void, onView: () => void }} hooks a box was drawn; another part is to be seen
   */
  constructor(host, canvas, hooks) {
    this.host = host;
    this.canvas = canvas;
    this.hooks = hooks;
    this.size = { width: 0, height: 0 };
    this.marks = { cross: false, thirds: false };
    this.isZoomed = false;
    this.isDrawing = false;
    this.centre = { x: 0, y: 0 };
    /** @type {Box | null} */
    this.box = null;
    /** @type {Piece | null} */
    this.whole = null;
    /** @type {Piece | null} */
    this.near = null;
    /** @type {{ x: number, y: number, at: { x: number, y: number }, moved: boolean } | null} */
    this.drag = null;
    host.addEventListener("pointerdown", (event) => this.press(event));
    host.addEventListener("pointermove", (event) => this.move(event));
    host.addEventListener("pointerup", (event) => this.release(event));
    host.addEventListener("pointercancel", () => (this.drag = null));
    host.addEventListener("keydown", (event) => this.key(event));
    new ResizeObserver(() => this.fit()).observe(host);
  }

  /** The part of the picture to be fetched in its own pixels; `null`: the whole, made smaller. */
  wanted() {
    if (!this.isZoomed) return null;
    const { left, top } = this.view();
    const width = Math.min(MOST_PX, this.size.width, Math.ceil(this.host.clientWidth) + 2);
    const height = Math.min(MOST_PX, this.size.height, Math.ceil(this.host.clientHeight) + 2);
    const x = Math.max(0, Math.min(Math.floor(left), this.size.width - width));
    const y = Math.max(0, Math.min(Math.floor(top), this.size.height - height));
    return /** @type {Box} */ ([x, y, width, height]);
  }

  /**
   * @param {HTMLImageElement} image
   * @param {Box | null} box
   * @param {number} width of the whole picture
   * @param {number} height
   */
  show(image, box, width, height) {
    if (width !== this.size.width || height !== this.size.height) {
      this.size = { width, height };
      this.centre = { x: width / 2, y: height / 2 };
      this.near = null;
    }
    if (box) this.near = { image, box };
    else this.whole = { image, box: [0, 0, width, height] };
    this.draw();
  }

  /** @param {boolean} isZoomed */
  zoom(isZoomed) {
    this.isZoomed = isZoomed;
    this.near = null;
    this.host.dataset.zoom = isZoomed ? "yes" : "no";
    this.draw();
    this.hooks.onView();
  }

  /** @param {boolean} isDrawing */
  drawing(isDrawing) {
    this.isDrawing = isDrawing;
    this.host.dataset.tool = isDrawing ? "draw" : "pan";
  }

  /** @returns {Box} the middle third */
  middle() {
    const { width, height } = this.size;
    const side = { x: Math.round(width / CENTRE), y: Math.round(height / CENTRE) };
    return [side.x, side.y, side.x, side.y];
  }

  /** How the picture lies on the stage: CSS pixels per pixel of it, and its point at the stage's corner. */
  view() {
    const { clientWidth, clientHeight } = this.host;
    const { width, height } = this.size;
    if (!this.isZoomed) {
      const scale = Math.min(clientWidth / Math.max(1, width), clientHeight / Math.max(1, height));
      return { scale, left: (width - clientWidth / scale) / 2, top: (height - clientHeight / scale) / 2 };
    }
    return { scale: 1, left: this.centre.x - clientWidth / 2, top: this.centre.y - clientHeight / 2 };
  }

  /** @param {{ clientX: number, clientY: number }} event */
  point(event) {
    const corner = this.host.getBoundingClientRect();
    const { scale, left, top } = this.view();
    const x = left + (event.clientX - corner.left) / scale;
    const y = top + (event.clientY - corner.top) / scale;
    return { x: Math.max(0, Math.min(x, this.size.width)), y: Math.max(0, Math.min(y, this.size.height)) };
  }

  /** @param {PointerEvent} event */
  press(event) {
    if (!event.isPrimary || event.button !== 0 || !this.size.width) return;
    this.drag = { x: event.clientX, y: event.clientY, at: this.point(event), moved: false };
    if (this.isDrawing || this.isZoomed) this.host.setPointerCapture(event.pointerId);
  }

  /** @param {PointerEvent} event */
  move(event) {
    const drag = this.drag;
    if (!drag || !event.isPrimary) return;
    const x = event.clientX - drag.x;
    const y = event.clientY - drag.y;
    drag.moved ||= Math.hypot(x, y) > TAP_PX;
    if (!drag.moved) return;
    if (this.isDrawing) {
      this.box = this.between(drag.at, this.point(event));
      this.draw();
    } else if (this.isZoomed) {
      this.pan(-x, -y);
      drag.x = event.clientX;
      drag.y = event.clientY;
    }
  }

  /** @param {PointerEvent} event */
  release(event) {
    const drag = this.drag;
    this.drag = null;
    if (!drag || !event.isPrimary) return;
    if (this.isDrawing) {
      const box = this.between(drag.at, this.point(event));
      if (drag.moved && box[2] >= LEAST_BOX_PX && box[3] >= LEAST_BOX_PX) this.hooks.onBox(box);
    } else if (!drag.moved) {
      this.centre = drag.at;
      this.pan(0, 0);
      this.zoom(!this.isZoomed);
    } else if (this.isZoomed) {
      this.hooks.onView();
    }
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    /** @type {Record<string, [number, number]>} */
    const steps = {
      ArrowLeft: [-STEP_PX, 0],
      ArrowRight: [STEP_PX, 0],
      ArrowUp: [0, -STEP_PX],
      ArrowDown: [0, STEP_PX],
    };
    const step = steps[event.key];
    if (step && this.isZoomed) {
      this.pan(step[0], step[1]);
      this.hooks.onView();
    } else if (event.key === "Enter") {
      this.zoom(!this.isZoomed);
    } else {
      return;
    }
    event.preventDefault();
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  pan(x, y) {
    /** @type {(at: number, size: number, room: number) => number} */
    const held = (at, size, room) => (size <= room ? size / 2 : Math.max(room / 2, Math.min(at, size - room / 2)));
    this.centre = {
      x: held(this.centre.x + x, this.size.width, this.host.clientWidth),
      y: held(this.centre.y + y, this.size.height, this.host.clientHeight),
    };
    this.draw();
  }

  /**
   * @param {{ x: number, y: number }} one
   * @param {{ x: number, y: number }} other
   * @returns {Box}
   */
  between(one, other) {
    const x = Math.round(Math.min(one.x, other.x));
    const y = Math.round(Math.min(one.y, other.y));
    return [x, y, Math.round(Math.abs(one.x - other.x)), Math.round(Math.abs(one.y - other.y))];
  }

  fit() {
    const ratio = window.devicePixelRatio || 1;
    this.canvas.width = Math.max(1, Math.round(this.host.clientWidth * ratio));
    this.canvas.height = Math.max(1, Math.round(this.host.clientHeight * ratio));
    if (this.isZoomed) this.pan(0, 0);
    this.draw();
  }

  draw() {
    const context = this.canvas.getContext("2d");
    if (!context) return;
    const ratio = window.devicePixelRatio || 1;
    const { scale, left, top } = this.view();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    if (!this.size.width) return;
    context.setTransform(ratio * scale, 0, 0, ratio * scale, -left * scale * ratio, -top * scale * ratio);
    for (const piece of [this.whole, this.isZoomed ? this.near : null]) {
      if (!piece) continue;
      context.imageSmoothingEnabled = !this.isZoomed || piece === this.whole;
      context.drawImage(piece.image, ...piece.box);
    }
    this.mark(context, 1 / scale);
  }

  /**
   * @param {CanvasRenderingContext2D} context
   * @param {number} thin one CSS pixel
   */
  mark(context, thin) {
    const { width, height } = this.size;
    const lines = new Path2D();
    /** @type {(x: number, y: number, x2: number, y2: number) => void} */
    const line = (x, y, x2, y2) => {
      lines.moveTo(x, y);
      lines.lineTo(x2, y2);
    };
    for (const share of this.marks.thirds ? [1 / 3, 2 / 3] : []) {
      line(width * share, 0, width * share, height);
      line(0, height * share, width, height * share);
    }
    if (this.marks.cross) {
      line(width / 2, 0, width / 2, height);
      line(0, height / 2, width, height / 2);
    }
    if (this.box) lines.rect(...this.box);
    context.lineWidth = 3 * thin;
    context.strokeStyle = "rgb(0 0 0 / 60%)";
    context.stroke(lines);
    context.lineWidth = 1.25 * thin;
    context.strokeStyle = "#ffffff";
    context.stroke(lines);
  }
}

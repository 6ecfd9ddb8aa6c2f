// Boxes over a picture: what the model found, what a person drew, and the editor for the latter.

import { draw, put } from "../dom.js";
import { text } from "../texts.js";

/**
 * @typedef {{label: string, score: number, x: number, y: number, width: number, height: number, kind: string}} Found
 * @typedef {{class: string, x: number, y: number, width: number, height: number}} Drawn
 * @typedef {import("./viewer.js").Placement} Placement
 */

const GRIPS = [[0, 0], [1, 0], [1, 1], [0, 1]];
const GRIP_PX = 14;
const LEAST_PX = 2;
const STEP_PX = 1;
const FAR_PX = 10;
const NAME_PX = 20;

export class Overlay {
  /**
   * @param {HTMLElement} holder
   * @param {(isDone: boolean) => void} onChange called when boxes were changed or another is chosen
   * @param {(box: Drawn) => void} onDrawn called when a new one was drawn
   */
  constructor(holder, onChange, onDrawn) {
    this.svg = draw("svg", { class: "over" });
    holder.append(this.svg);
    this.onChange = onChange;
    this.onDrawn = onDrawn;
    /** @type {Found[]} */
    this.found = [];
    /** @type {Drawn[] | null} boxes of a person; `null`: those of the model stand */
    this.drawn = null;
    this.size = { width: 1, height: 1 };
    /** @type {Placement} */
    this.placement = { x: 0, y: 0, scale: 1 };
    this.isShown = true;
    this.isEditing = false;
    this.isDrawing = false;
    this.chosen = -1;
    /** @type {((x: number, y: number) => void) | null} */
    this.dragging = null;
    this.svg.addEventListener("pointerdown", (event) => this.down(/** @type {PointerEvent} */ (event)));
    this.svg.addEventListener("pointermove", (event) => this.moved(/** @type {PointerEvent} */ (event)));
    for (const name of ["pointerup", "pointercancel"]) this.svg.addEventListener(name, () => this.up());
  }

  /** @param {Placement} placement */
  place(placement) {
    this.placement = placement;
    this.draw();
  }

  /** @param {{isShown?: boolean, isEditing?: boolean, isDrawing?: boolean}} how */
  set(how) {
    Object.assign(this, how);
    if (!this.isEditing) {
      this.isDrawing = false;
      this.chosen = -1;
    }
    this.svg.classList.toggle("editing", this.isEditing);
    this.svg.classList.toggle("drawing", this.isEditing && this.isDrawing);
    this.draw();
  }

  /** The boxes that a correction begins with: what is there already, else what the verdict spoke of. */
  beginDrawn() {
    this.drawn ??= this.found
      .filter((each) => each.kind)
      .map(({ label, x, y, width, height }) => ({ class: label, x, y, width, height }));
    this.draw();
  }

  /** @param {number} place */
  choose(place) {
    this.chosen = place;
    this.draw();
    this.onChange(false);
  }

  /** @returns {Drawn | undefined} */
  get chosenBox() {
    return this.drawn?.[this.chosen];
  }

  drop() {
    if (!this.chosenBox) return;
    this.drawn?.splice(this.chosen, 1);
    this.chosen = -1;
    this.draw();
    this.onChange(true);
  }

  /**
   * Moves or resizes the chosen box by keys.
   * @param {KeyboardEvent} event
   * @returns {boolean} whether it was meant
   */
  nudge(event) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const way = ways[/** @type {keyof typeof ways} */ (event.key)];
    const box = this.chosenBox;
    if (!this.isEditing || !way || !box) return false;
    const [right, down] = way.map((each) => each * (event.ctrlKey ? FAR_PX : STEP_PX));
    if (event.shiftKey) this.shape(box, box.x, box.y, box.x + box.width + right, box.y + box.height + down);
    else this.move(box, box.x + right, box.y + down);
    this.draw();
    this.onChange(true);
    return true;
  }

  // Drawing

  draw() {
    const shapes = this.isShown || this.isEditing ? this.shapes() : [];
    // A press keeps its element: a box that is drawn anew while it is dragged would let go of the pointer.
    const held = /** @type {SVGElement[]} */ ([...this.svg.children]);
    shapes.forEach((shape, place) => {
      if (held[place]) update(held[place], shape);
      else this.svg.append(shape);
    });
    for (const extra of held.slice(shapes.length)) extra.remove();
  }

  /** @returns {SVGElement[]} */
  shapes() {
    const own = this.drawn ?? [];
    const isOwn = this.drawn !== null;
    const boxes = this.isEditing && isOwn ? [] : this.found.map((each) => this.shapeOf(each, each.kind, scoreOf(each)));
    const shown = isOwn && !this.isEditing ? boxes.filter((_, place) => !this.found[place].kind) : boxes;
    const drawn = own.map((each, place) => this.drawnShape(each, place));
    const grips = this.isEditing && this.chosenBox ? GRIPS.map((grip) => this.gripShape(this.chosenBox, grip)) : [];
    return [...shown, ...drawn, ...grips];
  }

  /**
   * @param {{x: number, y: number, width: number, height: number}} box
   * @param {string} kind
   * @param {string} name
   */
  shapeOf(box, kind, name) {
    const { x, y, scale } = this.placement;
    const place = { x: x + box.x * scale, y: y + box.y * scale, width: box.width * scale, height: box.height * scale };
    const group = draw("g", { class: `box ${kind}` });
    group.append(draw("rect", { class: "halo", ...place }), draw("rect", { class: "edge", ...place }));
    const over = place.y >= NAME_PX ? place.y - NAME_PX - 2 : place.y + 2;
    const width = 8 * name.length + 10;
    group.append(draw("rect", { class: "ground", x: place.x, y: over, width, height: NAME_PX }));
    group.append(draw("text", { x: place.x + 5, y: over + 15, textLength: width - 10, lengthAdjust: "spacingAndGlyphs" }, name));
    group.append(draw("rect", { class: "hit", ...place }));
    return group;
  }

  /**
   * @param {Drawn} box
   * @param {number} place
   */
  drawnShape(box, place) {
    const shape = this.shapeOf(box, `mine${place === this.chosen ? " chosen" : ""}`, box.class);
    if (!this.isEditing) return shape;
    put(shape, "data-place", String(place));
    put(shape, "tabindex", "0");
    put(shape, "role", "button");
    put(shape, "aria-label", `${text("review.box", { number: place + 1, label: box.class })}, ${text("review.box.hint")}`);
    return shape;
  }

  /**
   * @param {Drawn | undefined} box
   * @param {number[]} grip
   */
  gripShape(box, grip) {
    const { x, y, scale } = this.placement;
    const [right, down] = grip;
    const middle = [x + ((box?.x ?? 0) + right * (box?.width ?? 0)) * scale, y + ((box?.y ?? 0) + down * (box?.height ?? 0)) * scale];
    const half = GRIP_PX / 2;
    const at = { x: middle[0] - half, y: middle[1] - half, width: GRIP_PX, height: GRIP_PX };
    return draw("rect", { class: "grip", "data-grip": grip.join(), ...at });
  }

  // Dragging

  /** @param {PointerEvent} event */
  down(event) {
    if (!this.isEditing || event.button) return;
    const target = /** @type {SVGElement} */ (event.target);
    const [x, y] = this.pixelOf(event);
    const grip = target.dataset.grip?.split(",").map(Number);
    const place = Number(/** @type {SVGElement | null} */ (target.closest("[data-place]"))?.dataset.place ?? -1);
    event.preventDefault();
    event.stopPropagation();
    this.svg.setPointerCapture(event.pointerId);
    if (this.isDrawing) this.beginNew(x, y);
    else if (grip && this.chosenBox) this.beginShape(this.chosenBox, grip);
    else if (place >= 0) this.beginMove(place, x, y);
  }

  /**
   * @param {number} x
   * @param {number} y
   */
  beginNew(x, y) {
    const box = { class: "", x, y, width: 0, height: 0 };
    this.drawn?.push(box);
    this.chosen = (this.drawn?.length ?? 0) - 1;
    this.dragging = (toX, toY) => this.shape(box, x, y, toX, toY);
  }

  /**
   * @param {Drawn} box
   * @param {number[]} grip
   */
  beginShape(box, grip) {
    const far = [box.x + (grip[0] ? 0 : box.width), box.y + (grip[1] ? 0 : box.height)];
    this.dragging = (toX, toY) => this.shape(box, far[0], far[1], toX, toY);
  }

  /**
   * @param {number} place
   * @param {number} x
   * @param {number} y
   */
  beginMove(place, x, y) {
    this.choose(place);
    const box = this.chosenBox;
    if (!box) return;
    const from = { x: box.x - x, y: box.y - y };
    this.dragging = (toX, toY) => this.move(box, from.x + toX, from.y + toY);
  }

  /** @param {PointerEvent} event */
  moved(event) {
    if (!this.dragging) return;
    const [x, y] = this.pixelOf(event);
    this.dragging(x, y);
    this.draw();
  }

  up() {
    if (!this.dragging) return;
    this.dragging = null;
    const box = this.chosenBox;
    if (!this.isDrawing) {
      this.onChange(true);
    } else if (box && box.width >= LEAST_PX && box.height >= LEAST_PX) {
      this.set({ isDrawing: false });
      this.onDrawn(box);
    } else {
      this.drawn?.pop();
      this.choose(-1);
    }
  }

  /**
   * @param {Drawn} box
   * @param {number} x
   * @param {number} y
   */
  move(box, x, y) {
    box.x = within(x, 0, this.size.width - box.width);
    box.y = within(y, 0, this.size.height - box.height);
  }

  /**
   * Spans a box between two corners.
   * @param {Drawn} box
   * @param {number} x
   * @param {number} y
   * @param {number} toX
   * @param {number} toY
   */
  shape(box, x, y, toX, toY) {
    const [left, right] = [x, toX].map((each) => within(each, 0, this.size.width)).sort((a, b) => a - b);
    const [top, bottom] = [y, toY].map((each) => within(each, 0, this.size.height)).sort((a, b) => a - b);
    Object.assign(box, { x: left, y: top, width: Math.max(LEAST_PX, right - left), height: Math.max(LEAST_PX, bottom - top) });
  }

  /** @param {PointerEvent} event */
  pixelOf(event) {
    const frame = this.svg.getBoundingClientRect();
    const { x, y, scale } = this.placement;
    return [(event.clientX - frame.left - x) / scale, (event.clientY - frame.top - y) / scale];
  }
}

/** @param {Found} box */
function scoreOf(box) {
  return `${box.label} ${box.score.toFixed(2)}`;
}

/**
 * @param {number} value
 * @param {number} least
 * @param {number} most
 */
function within(value, least, most) {
  return Math.round(Math.max(least, Math.min(value, Math.max(least, most))) * 10) / 10;
}

/**
 * Makes an element like another one.
 * @param {SVGElement} element
 * @param {SVGElement} like
 */
function update(element, like) {
  if (element.tagName !== like.tagName || element.childElementCount !== like.childElementCount) {
    element.replaceWith(like);
    return;
  }
  for (const { name } of [...element.attributes]) if (!like.hasAttribute(name)) element.removeAttribute(name);
  for (const { name, value } of like.attributes) put(element, name, value);
  if (!like.childElementCount && element.textContent !== like.textContent) element.textContent = like.textContent;
  [...element.children].forEach((child, place) => {
    update(/** @type {SVGElement} */ (child), /** @type {SVGElement} */ (like.children[place]));
  });
}

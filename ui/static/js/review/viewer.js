// One picture at any scale, by OpenSeadragon, and where its pixels lie on the screen.

import { make } from "../dom.js";

/** @typedef {{x: number, y: number, scale: number}} Placement where the picture's origin lies, and the px of a pixel */

const STEP = 1.5;
const PAN = 0.15;
const MOST_PX_PER_PIXEL = 12;

// OpenSeadragon brings one rule for phones as a style element, which our policy forbids, unless it finds one there
// already. An element of no namespace with that name is one to it, and no style to the browser; review.css has the rule.
const stand = document.createElementNS("", "style");
stand.setAttribute("data-openseadragon-mobile-css", "true");
document.head.append(stand);

export class Viewer {
  /**
   * @param {HTMLElement} holder
   * @param {(placement: Placement) => void} onMove
   * @param {() => void} onBroken
   */
  constructor(holder, onMove, onBroken) {
    const element = make("div", "deep");
    holder.prepend(element);
    const isCalm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    /** @type {any} */
    this.deep = /** @type {any} */ (window).OpenSeadragon({
      element,
      prefixUrl: "",
      drawer: "canvas",
      showNavigationControl: false,
      keyboardNavEnabled: false,
      animationTime: isCalm ? 0 : 0.25,
      springStiffness: 9,
      immediateRender: true,
      minZoomImageRatio: 0.8,
      maxZoomPixelRatio: MOST_PX_PER_PIXEL,
      visibilityRatio: 0.4,
      zoomPerScroll: 1.25,
      gestureSettingsMouse: { clickToZoom: false, dblClickToZoom: true },
      gestureSettingsTouch: { pinchRotate: false, dblTapToZoom: true },
    });
    this.deep.addHandler("update-viewport", () => onMove(this.placement));
    this.deep.addHandler("open-failed", onBroken);
    this.deep.addHandler("tile-load-failed", onBroken);
    this.size = { width: 1, height: 1 };
  }

  /**
   * Shows a picture; resolves when its size is known.
   * @param {string} url
   * @param {string} words what it shows
   */
  show(url, words) {
    this.deep.canvas.setAttribute("role", "img");
    this.deep.canvas.setAttribute("aria-label", words);
    return new Promise((resolve) => {
      this.deep.addOnceHandler("open", () => {
        const size = this.deep.world.getItemAt(0).getContentSize();
        this.size = { width: size.x, height: size.y };
        resolve(this.size);
      });
      this.deep.open({ type: "image", url, buildPyramid: false });
    });
  }

  /** @returns {Placement} */
  get placement() {
    const item = this.deep.world.getItemAt(0);
    if (!item) return { x: 0, y: 0, scale: 1 };
    const at = (/** @type {number} */ x) =>
      this.deep.viewport.pixelFromPoint(item.imageToViewportCoordinates(x, 0, true), true);
    const start = at(0);
    return { x: start.x, y: start.y, scale: (at(this.size.width).x - start.x) / this.size.width };
  }

  /** @param {number} times */
  zoom(times) {
    this.deep.viewport.zoomBy(times > 0 ? STEP : 1 / STEP);
    this.deep.viewport.applyConstraints();
  }

  fit() {
    this.deep.viewport.goHome();
  }

  /**
   * @param {number} right
   * @param {number} down
   */
  pan(right, down) {
    const bounds = this.deep.viewport.getBounds();
    const { Point } = /** @type {any} */ (window).OpenSeadragon;
    this.deep.viewport.panBy(new Point(right * PAN * bounds.width, down * PAN * bounds.height));
    this.deep.viewport.applyConstraints();
  }
}

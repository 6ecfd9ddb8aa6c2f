// Elements by hand: no markup is ever made of words, so what a label or a reason contains is only ever shown.

const SVG = "http://www.w3.org/2000/svg";

/**
 * The element with an id, which the template has.
 * @param {string} id
 * @returns {HTMLElement}
 */
export function by(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return found;
}

/**
 * Sets a text if it differs: what does not change costs no layout.
 * @param {Element} element
 * @param {string} words
 */
export function say(element, words) {
  if (element.textContent !== words) element.textContent = words;
}

/**
 * Sets an attribute if it differs; `null` removes it.
 * @param {Element} element
 * @param {string} name
 * @param {string | null} value
 */
export function put(element, name, value) {
  if (value === null) element.removeAttribute(name);
  else if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

/**
 * A new HTML element.
 * @param {string} tag
 * @param {string} [kind] its class
 * @param {...(Node | string)} children
 * @returns {HTMLElement}
 */
export function make(tag, kind = "", ...children) {
  const element = document.createElement(tag);
  if (kind) element.className = kind;
  element.append(...children);
  return element;
}

/**
 * A new element with words that the station, a process or the server has said of itself: they are English in every
 * language of the pages, and marked as such for whoever has them read aloud.
 * @param {string} tag
 * @param {string} kind its class
 * @param {string} words
 * @returns {HTMLElement}
 */
export function quoted(tag, kind, words) {
  const element = make(tag, kind, words);
  element.lang = "en";
  return element;
}

/**
 * A new SVG element.
 * @param {string} tag
 * @param {Record<string, string | number>} [attributes]
 * @param {...(Node | string)} children
 * @returns {SVGElement}
 */
export function draw(tag, attributes = {}, ...children) {
  const element = /** @type {SVGElement} */ (document.createElementNS(SVG, tag));
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}

/**
 * One of our icons.
 * @param {string} name
 */
export function icon(name) {
  return draw("svg", { class: "icon", "aria-hidden": "true" }, draw("use", { href: `#i-${name}` }));
}

/**
 * Shows another icon in an element that has one.
 * @param {Element} use its `use`
 * @param {string} name
 */
export function swapIcon(use, name) {
  put(use, "href", `#i-${name}`);
}

// The page of the door: whoever comes in goes on to where they wanted.

import { by } from "../dom.js";
import { Door } from "./door.js";

const form = /** @type {HTMLFormElement} */ (by("door"));
new Door(form, () => location.assign(by("access").dataset.onward ?? "/"));

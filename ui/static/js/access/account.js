// Oneself: another PIN or password, and where else one is signed in.

import { ask } from "../ask.js";
import { by, make } from "../dom.js";
import { refusalOf } from "../quoting.js";
import { text } from "../texts.js";
import { toast } from "../toast.js";
import { agent, time } from "./words.js";

/** @param {HTMLFormElement} form */
function work(form) {
  const trouble = /** @type {HTMLElement} */ (form.querySelector(".trouble"));
  const words = /** @type {HTMLElement} */ (trouble.querySelector("span"));
  /** @param {string} name */
  const value = (name) => /** @type {HTMLInputElement} */ (form.elements.namedItem(name)).value;

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    words.textContent = value("secret") === value("repeated") ? "" : (form.dataset.differs ?? "");
    trouble.hidden = !words.textContent;
    if (words.textContent) return;
    try {
      const body = { kind: form.dataset.kind, current: value("current"), secret: value("secret") };
      await ask(form.dataset.url ?? "", { body });
      form.reset();
      toast(form.dataset.done ?? "");
      show();
    } catch (error) {
      words.replaceChildren(...refusalOf(error));
      trouble.hidden = false;
    }
  });
}

async function show() {
  const place = by("sessions");
  const said = await ask(place.dataset.url ?? "", { method: "GET" });
  place.replaceChildren(
    ...said.sessions.map((/** @type {any} */ each) => {
      const where = make("td", "", `${each.address} · ${agent(each.agent)}`);
      if (each.is_this) where.append(" ", make("span", "badge", text("access.session.this")));
      const way = make("td", "", text(`access.by.${each.method}`));
      return make("tr", "", where, way, make("td", "", time(each.made_us)), make("td", "", time(each.seen_us)));
    }),
  );
  by("end-others").hidden = said.sessions.length < 2;
}

for (const form of document.querySelectorAll("form.own-secret")) work(/** @type {HTMLFormElement} */ (form));
by("end-others").addEventListener("click", async () => {
  await ask(by("end-others").dataset.url ?? "");
  show();
});
show();

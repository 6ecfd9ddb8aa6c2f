// What is seldom needed: who is signed in, cleaning the screen, the buzzer, the purge.

import { ask } from "../ask.js";
import { by, put, say } from "../dom.js";
import { HoldKey, wordsOf } from "../hold.js";
import { text } from "../texts.js";
import { clean, prepareCleaning } from "./cleaning.js";
import { command } from "./commanding.js";

export class MoreScreen {
  /** @param {Record<string, string>} urls */
  constructor(urls) {
    this.urls = urls;
    this.isIn = false;
    prepareCleaning();
    by("more-clean").addEventListener("click", clean);
    this.silences = /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-silence]"));
    for (const key of this.silences) {
      key.addEventListener("click", () => {
        command(urls.silence, {}, { done: () => text("more.silenced") }).catch(() => {});
      });
    }
    by("more-sign").addEventListener("click", () => this.sign().catch(() => {}));
    new HoldKey("more-purge", () => command(urls.purge, {}, { done: () => text("more.purged") }), wordsOf("more.purge"));
    document.addEventListener("takt-person", () => this.look());
  }

  open() {
    this.look();
  }

  /** @param {any} status of the line */
  follow(status) {
    for (const key of this.silences) key.hidden = !status.has_buzzer;
  }

  async look() {
    try {
      const said = await ask(this.urls.me, { method: "GET", isQuiet: true });
      this.show(said?.name ?? "", said?.role ?? "");
    } catch {
      this.show("", "");
    }
  }

  /**
   * @param {string} name
   * @param {string} role
   */
  show(name, role) {
    this.isIn = name !== "";
    say(by("more-who"), name ? `${name}, ${text(`role.${role}`)}` : text("line.nobody"));
    const key = by("more-sign");
    say(/** @type {Element} */ (key.lastElementChild), (this.isIn ? key.dataset.out : key.dataset.in) ?? "");
    put(key, "data-in-now", this.isIn ? "yes" : "no");
    for (const way of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[data-roles]"))) {
      const roles = way.dataset.roles ?? "";
      way.hidden = roles !== "" && !roles.split(" ").includes(role);
    }
  }

  async sign() {
    if (this.isIn) {
      await command(this.urls.sign_out, {});
      location.reload();
      return;
    }
    const { signIn } = await import("../access/dialogs.js");
    await signIn();
    await this.look();
  }
}

// Everything on the operator's page beyond the overview: the keys at the side, their screens, alarms, lamps.

import { by, put } from "../dom.js";
import { text } from "../texts.js";
import { AlarmScreen } from "./alarms.js";
import { prepareBrightness } from "./brightness.js";
import { LotScreen } from "./lots.js";
import { MoreScreen } from "./more.js";
import { RecipeScreen } from "./recipes.js";
import { ResetScreen } from "./resets.js";
import { Screens } from "./screens.js";
import { StretchScreen } from "./stretches.js";
import { TrialScreen } from "./trials.js";

const LAMPS = ["red", "amber", "green"];

export class Floor {
  /**
   * @param {Record<string, string>} urls
   * @param {[string, string]} night when the page is dark by the clock
   */
  constructor(urls, night) {
    this.alarms = new AlarmScreen(urls.alarms);
    this.trials = new TrialScreen(urls.challenge, urls.trial);
    this.more = new MoreScreen(urls);
    this.recipes = new RecipeScreen(urls.recipes, urls.recipe);
    const lots = new LotScreen(urls, () => screens.open("lot"));
    const screens = new Screens({
      lot: lots,
      next: { open: () => lots.prepare() },
      recipe: this.recipes,
      challenge: this.trials,
      alarms: {},
      statistics: new StretchScreen(urls.statistics),
      more: this.more,
      reset: new ResetScreen(urls.reset, () => screens.close()),
    });
    prepareBrightness(night);
  }

  /** @param {any[]} alarms the weightiest first */
  writeAlarms(alarms) {
    this.alarms.write(alarms);
  }

  /** @param {any} status of the line */
  follow(status) {
    if (!status) return;
    this.trials.follow(status);
    this.recipes.follow(status);
    this.more.follow(status);
    writeLamps(status.lamps ?? []);
  }
}

/** @param {string[]} lit */
function writeLamps(lit) {
  const on = LAMPS.filter((each) => lit.includes(`lamp_${each}`));
  const named = on.map((each) => text(`lamps.${each}`));
  if (lit.includes("buzzer")) named.push(text("lamps.buzzer"));
  const words = named.length ? text("lamps.on", { lamps: named.join(", ") }) : text("lamps.off");
  put(by("lamps"), "aria-label", `${text("lamps")}: ${words}`);
  for (const each of LAMPS) {
    const lamp = /** @type {Element} */ (by("lamps").querySelector(`[data-lamp="${each}"]`));
    put(lamp, "data-lit", on.includes(each) ? "yes" : "no");
  }
}

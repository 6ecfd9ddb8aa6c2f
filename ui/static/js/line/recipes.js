// Choosing another recipe: touching one shows what it does, holding the key changes it.

import { by, icon, make, put, quoted, say } from "../dom.js";
import { HoldKey, wordsOf } from "../hold.js";
import { decimal, hasText, text } from "../texts.js";
import { command, fetched } from "./commanding.js";

export class RecipeScreen {
  /**
   * @param {string} url of the recipes
   * @param {string} change where one is chosen
   */
  constructor(url, change) {
    this.url = url;
    this.change = change;
    /** @type {any} */
    this.chosen = null;
    this.isOpen = false;
    /** The hash of the recipe at work when the list was fetched. */
    this.listed = "";
    this.turn = 0;
    new HoldKey("recipes-change", () => this.adopt(), wordsOf("recipes.change"));
  }

  async open() {
    this.isOpen = true;
    this.show(null);
    await this.look();
  }

  close() {
    this.isOpen = false;
  }

  /**
   * Looks again when the line works by another recipe than the list says, whoever has changed it.
   * @param {any} status of the line
   */
  follow(status) {
    if (!this.isOpen || status.recipe_sha256 === this.listed) return;
    this.listed = status.recipe_sha256;
    this.look();
  }

  async look() {
    const turn = ++this.turn;
    const said = await fetched(this.url);
    if (!said || turn !== this.turn) return;
    this.listed = said.sha256;
    const tiles = said.recipes.map((/** @type {any} */ each) => this.tile(each));
    const none = make("li", "nothing-here", icon("recipe"), make("strong", "", text("recipes.none")), make("p", "quiet", text("recipes.none.words")));
    by("recipes-list").replaceChildren(...(tiles.length ? tiles : [none]));
    const still = said.recipes.find((/** @type {any} */ each) => each.file === this.chosen?.file);
    this.show(still ?? null);
  }

  /** @param {any} recipe */
  tile(recipe) {
    const tile = make("button", "key recipe-tile", picture(recipe), make("span", "name", recipe.name));
    put(tile, "type", "button");
    put(tile, "data-file", recipe.file);
    put(tile, "aria-pressed", "false");
    tile.classList.toggle("refused", Boolean(recipe.trouble) && !recipe.is_at_work);
    if (recipe.is_at_work) tile.append(make("span", "at-work", icon("check"), " ", text("recipes.at.work")));
    else if (recipe.trouble) tile.append(make("span", "no", icon("warn"), " ", text("recipes.trouble")));
    else if (recipe.default) tile.append(make("span", "quiet small", `${text("recipes.threshold")}: ${threshold(recipe.default)}`));
    tile.addEventListener("click", () => this.show(recipe));
    return make("li", "", tile);
  }

  /** @param {any} recipe */
  show(recipe) {
    this.chosen = recipe;
    by("recipes-detail").hidden = !recipe;
    for (const tile of by("recipes-list").querySelectorAll("[data-file]")) {
      put(tile, "aria-pressed", String(/** @type {HTMLElement} */ (tile).dataset.file === recipe?.file));
    }
    if (!recipe) return;
    say(by("recipes-name"), recipe.name);
    const lot = recipe.package ? `, ${text("recipes.package", { package: recipe.package })}` : "";
    say(by("recipes-file"), recipe.file + lot);
    by("recipes-picture").replaceChildren(picture(recipe));
    const rules = recipe.default ? [...recipe.classes, recipe.default] : [];
    by("recipes-rules").replaceChildren(...rules.map(ruleRow));
    by("recipes-trouble").replaceChildren(...troubleOf(recipe));
    by("recipes-trouble").hidden = !recipe.trouble;
    by("recipes-change").hidden = Boolean(recipe.trouble) || recipe.is_at_work;
  }

  async adopt() {
    const { file, sha256, name } = this.chosen;
    const done = (/** @type {any} */ said) => text("recipes.changed", { recipe: name, epoch: said.epoch, sequence: said.sequence });
    await command(this.change, { file, sha256 }, { done });
    await this.look();
  }
}

/** @param {any} recipe */
function picture(recipe) {
  const holder = make("span", "thumb");
  if (!recipe.picture) {
    holder.append(icon("recipe"));
    return holder;
  }
  const image = new Image();
  image.alt = "";
  image.draggable = false;
  image.src = recipe.picture;
  holder.append(image);
  return holder;
}

/**
 * Why a recipe cannot be chosen and what to do about it, in the language of the page where the reason has a code.
 * @param {any} recipe
 */
function troubleOf(recipe) {
  const key = `refused.${recipe.trouble_code}`;
  if (!recipe.trouble || !hasText(key)) return [quoted("span", "said", recipe.trouble)];
  const own = make("strong", "", text(key, recipe.trouble_values));
  const mend = make("span", "", text(`${key}.mend`, recipe.trouble_values));
  // What is wrong inside a file, only the sentence says.
  const said = recipe.trouble_code === "RECIPE_FORM" ? [" ", quoted("span", "said", recipe.trouble)] : [];
  return [own, " ", mend, ...said];
}

/** @param {any} rule */
function ruleRow(rule) {
  const name = make("th", "", rule.label || text("recipes.default"));
  put(name, "scope", "row");
  return make("tr", "", name, make("td", "number", threshold(rule)), make("td", "", text(`recipes.policy.${rule.policy}`)));
}

/** @param {any} rule */
function threshold(rule) {
  return rule.threshold === null ? text("recipes.models.own") : decimal(rule.threshold, 2);
}

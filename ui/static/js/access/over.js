// Opens a dialog over a page. Where the page has a key that must be in reach whatever is asked, as the one that stops the
// line, that key stays where it is and works; everything else waits.

const ALWAYS = "[data-always]";
/** What only tells something goes on telling it. */
const TELLING = "dialog[open], [role=alert], [role=status], script, .veil";

/** @param {HTMLDialogElement} dialog */
export function openOver(dialog) {
  const kept = document.querySelector(ALWAYS);
  if (!kept?.parentElement) {
    dialog.showModal();
    return;
  }
  dialog.show();
  const around = [...document.body.children, ...kept.parentElement.children];
  const waiting = around.filter((each) => !each.contains(kept) && !each.matches(TELLING) && !(/** @type {HTMLElement} */ (each).inert));
  for (const each of waiting) /** @type {HTMLElement} */ (each).inert = true;
  const leave = (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    dialog.close();
  };
  dialog.addEventListener("keydown", leave);
  dialog.addEventListener(
    "close",
    () => {
      dialog.removeEventListener("keydown", leave);
      for (const each of waiting) /** @type {HTMLElement} */ (each).inert = false;
    },
    { once: true },
  );
}

// Light or dark: what this browser's person has chosen, else what it prefers. A classic script that is read before the
// page is painted: a module would come too late, and the page would flash.

(() => {
  const KEY = "takt.scheme";
  const prefersDark = matchMedia("(prefers-color-scheme: dark)");

  /** @returns {string} auto, light or dark */
  function chosen() {
    try {
      return localStorage.getItem(KEY) ?? "auto";
    } catch {
      return "auto"; // a browser that keeps nothing
    }
  }

  function apply() {
    const choice = chosen();
    const isDark = choice === "dark" || (choice !== "light" && prefersDark.matches);
    document.documentElement.dataset.scheme = isDark ? "dark" : "light";
    document.documentElement.dataset.schemeChoice = choice;
  }

  prefersDark.addEventListener("change", apply);
  window.addEventListener("storage", (event) => event.key === KEY && apply());
  document.addEventListener("takt-scheme", (event) => {
    try {
      localStorage.setItem(KEY, /** @type {CustomEvent<string>} */ (event).detail);
    } catch {
      return;
    }
    apply();
  });
  apply();
})();

// Runs before anything is drawn and before any other file is asked for.
// A page in dark never flashes white.
(() => {
  let theme = "system";
  try {
    theme = localStorage.getItem("spillway.theme") || "system";
  } catch {
    // Storage may be forbidden; the system's choice stands.
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();

// A file that does not come, as the network changed at that moment, never comes: a browser keeps
// that a module failed for as long as the page stays. So the page is loaded once more. Only once: a
// proxy or a filter may refuse a file for ever, and most of the console works without a stylesheet.
if (performance.getEntriesByType("navigation")[0]?.type !== "reload") {
  addEventListener(
    "error",
    ({ target }) => {
      if (target instanceof HTMLScriptElement || target instanceof HTMLLinkElement) {
        setTimeout(() => location.reload(), 2000);
      }
    },
    true,
  );
}

// Runs before the first paint and before the browser requests any other file.
// A dark page never flashes white.
(() => {
  let theme = "system";
  try {
    theme = localStorage.getItem("spillway.theme") || "system";
  } catch {
    // Storage may be blocked; then the system's theme applies.
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();

// A file that fails to load, for example because the network changed, never loads: the browser
// remembers a failed module for as long as the page is open. So reload the page, but only once: a
// proxy or filter may refuse a file forever, and most of the console works without a stylesheet.
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

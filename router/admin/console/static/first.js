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
// that a module failed for as long as the page stays. So the page is loaded once more.
addEventListener(
  "error",
  (event) => {
    const { target } = event;
    if (target instanceof HTMLScriptElement || target instanceof HTMLLinkElement) {
      setTimeout(() => location.reload(), 2000);
    }
  },
  true,
);

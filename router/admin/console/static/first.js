// Runs before anything is drawn, so that a page in dark never flashes white.
(() => {
  let theme = "system";
  try {
    theme = localStorage.getItem("spillway.theme") || "system";
  } catch {
    // Storage may be forbidden; the system's choice stands.
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();

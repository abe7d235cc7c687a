// Keeps the keyboard's place: when the control that has the focus goes away or is disabled, the focus
// returns to the control that had it before. Otherwise a screen reader would start from the top.

const REMEMBERED = 50;

/** @param {Element} element */
const takesFocus = (element) => element.isConnected && !element.matches(":disabled");

/** Follows the focus from now on. */
export function listen() {
  /** @type {HTMLElement[]} Elements that had the focus, the last one at the end. */
  let past = [];

  const returnFocus = () => {
    const last = past.at(-1);
    if (!last || takesFocus(last)) return;
    past = past.filter(takesFocus);
    while (past.length) {
      const element = past[past.length - 1];
      element.focus({ preventScroll: true });
      if (document.activeElement === element) {
        // After a click the page must not scroll away from the pointer.
        if (element.matches(":focus-visible")) element.scrollIntoView({ block: "nearest" });
        return;
      }
      past.pop(); // Hidden, or behind a dialog.
    }
  };
  const remember = (element) => {
    past = [...past.filter((one) => one !== element), element].slice(-REMEMBERED);
  };
  addEventListener("focusin", (event) => {
    if (event.target instanceof HTMLElement) remember(event.target);
  });
  addEventListener("focusout", (event) => {
    // The user may leave all controls, with a click beside them: then nothing is returned.
    setTimeout(() => {
      const left = /** @type {HTMLElement} */ (event.target);
      if (document.hasFocus() && document.activeElement === document.body && takesFocus(left)) {
        remember(document.body);
      }
    });
  });
  new MutationObserver(returnFocus).observe(document.body, {
    subtree: true,
    childList: true,
    attributeFilter: ["disabled"],
  });
}

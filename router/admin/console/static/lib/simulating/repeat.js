// Requests that a page makes again and again.

const HIDDEN_MS = 1000; // How often a hidden tab looks whether it is visible again.

/**
 * Runs `step` until the result is called; a hidden tab waits. `step` gets the signal that ends with
 * it and whether it has run before, and gives the milliseconds to the next run; 0: there is none.
 * @param {(signal: AbortSignal, isAgain: boolean) => Promise<number>} step
 * @returns {() => void}
 */
export function repeat(step) {
  const over = new AbortController();
  let timer;
  const run = async (isAgain) => {
    const waitMs = isAgain && document.hidden ? HIDDEN_MS : await step(over.signal, isAgain);
    if (waitMs && !over.signal.aborted) timer = setTimeout(() => run(true), waitMs);
  };
  run(false);
  return () => {
    over.abort();
    clearTimeout(timer);
  };
}

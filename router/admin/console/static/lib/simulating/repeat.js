// Requests that a page repeats.

const HIDDEN_MS = 1000; // How often a hidden tab checks whether it is visible again.

/**
 * Runs `step` repeatedly until the returned function is called; a hidden tab waits. `step` gets a
 * signal that aborts with that call, and whether `step` has run before. It returns the milliseconds
 * to the next run; 0: there is none.
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

// Simulations run one at a time, for all who look: a question waits until its turn comes, and its run
// ends when nobody wants the answer any more.
import { post } from "../api.js";

const TIMEOUT_MS = 50000; // The router ends it after 30 s, and 10 s later for good.
const AGAIN_MS = 1000;

/** @param {number} ms @param {AbortSignal} signal */
function pause(ms, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, ms);
    const over = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    signal.addEventListener("abort", over, { once: true });
  });
}

/**
 * What a simulation answers. While another one runs it is asked again.
 * @param {string} path @param {unknown} body @param {AbortSignal} signal Ends the run, too.
 */
export async function run(path, body, signal) {
  for (;;) {
    try {
      return await post(path, body, { signal, timeoutMs: TIMEOUT_MS });
    } catch (error) {
      if (error.status !== 429 || signal.aborted) throw error;
    }
    await pause(AGAIN_MS, signal);
  }
}

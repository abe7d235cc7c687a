// The router runs one simulation at a time, for all users: a request waits for its turn, and its run
// ends when the page no longer wants the answer.
import { post } from "../api.js";

const TIMEOUT_MS = 50000; // The router ends a run after 30 s and kills it 10 s later.
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
 * The answer of a simulation. Retries while another simulation runs.
 * @param {string} path @param {unknown} body @param {AbortSignal} signal Also ends the run.
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

// Answers each line, what the API says of a site, with what the console's overview says first.
import { createInterface } from "node:readline";

globalThis.matchMedia = () => ({ matches: false, addEventListener() {} }); // Of a browser.
const { answer } = await import(process.argv[2]);
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(answer(JSON.parse(line).item)));
}

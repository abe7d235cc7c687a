// What is shown in the place of a site's links where there are none.
import { html } from "../html.js";
import { elsewhere, sitectl } from "../commands.js";
import { count } from "../format.js";
import { Empty } from "../ui.js";

/** Each of several routers knows only its own links. */
export function NoLinks({ status }) {
  if (status.replicas > 1) {
    return html`<${Empty}>No links at this router, one of ${count(status.replicas)} of this site.<//>`;
  }
  const hint = `On the other site: ${elsewhere("token create here.yaml")}. Here: ${sitectl("link create here.yaml")}`;
  return html`<${Empty} hint=${hint}>No links.<//>`;
}

// The service graph: callers at this site, the services they call, and the sites and targets that
// serve them.
import { html, useEffect, useMemo, useRef, useState } from "../html.js";
import {
  busiestFirst, callerOf, callerText, callersText, chosenOf, figuresOf, filtered, idOf, itemOfChoice, itemWith,
  itemsOf, kindText, notesOf, placeText, quantileText, serviceOf, serviceText,
} from "./calls.js";
import { CalledTargets, TargetFacts } from "./called_targets.js";
import { CallersTable } from "./callers_table.js";
import { targetItem, targetsOf, withTargets } from "./calls_targets.js";
import { CallsLegend, CallsPicture } from "./calls_picture.js";
import { sitectl } from "../commands.js";
import { Day } from "../charts/day.js";
import { count, plural, rate, span } from "../format.js";
import { href, setParams } from "../route.js";
import { useAnswer, useNow } from "../store.js";
import { Badge, Card, Close, Empty, Failed, Filter, Loading } from "../ui.js";
import { whoseRequests } from "../words.js";

const ASK_MS = 5000;
const DAY_MS = 60000;
const NONE = { from: null, to: null, at: null, on: null };

/** Says that the figures are old, and why. @param {{answer: any}} props */
export function OldFigures({ answer }) {
  useNow();
  if (!answer.error || !answer.value) return null;
  return html`<p class="note" role="status">
    <${Badge} tone="warn">Data ${span((performance.now() - answer.at) / 1000)} old<//> ${answer.error.message}
  </p>`;
}

/** Says why there is no edge. It denies no call: a router forgets callers when it restarts, and
 * after a day without a call. @param {{graph: any, service?: string}} props */
export function NoCallers({ graph, service = "" }) {
  return graph.enabled
    ? html`<${Empty} hint="Callers appear a few seconds after their first request, in a namespace after up to two minutes. A router that restarts forgets them.">
        No caller ${service ? `of ${service} ` : ""}is known ${graph.waiting ? "yet" : "here"}.
      <//>`
    : html`<${Empty} hint=${html`<code>${sitectl("update --name-callers")}</code>`}>
        Callers are not named here.
      <//>`;
}

function Notes({ graph }) {
  return notesOf(graph).map((text) => html`<p key=${text} class="muted small">${text}</p>`);
}

function Filters({ edges, params }) {
  const texts = new Map(edges.map((edge) => [serviceOf(edge), serviceText(edge)]));
  const services = [...texts.keys()].sort();
  const chosen = params.service ?? "";
  if (chosen && !services.includes(chosen)) services.unshift(chosen);
  return html`<div class="filters">
    <${Filter} name="caller" label="Filter callers" value=${params.caller} />
    <label class="choice"
      >Service
      <select value=${chosen} onChange=${(event) => setParams({ service: event.target.value, ...NONE })}>
        <option value="">all</option>
        ${services.map((name) => html`<option value=${name}>${texts.get(name) ?? name}</option>`)}
      </select>
    </label>
    ${
      (params.caller || chosen) &&
      html`<button type="button" onClick=${() => setParams({ caller: null, service: null, ...NONE })}>
        Show all
      </button>`
    }
  </div>`;
}

const TONES = { here: "good", elsewhere: "warn", nowhere: "bad" };

function Facts({ edges }) {
  const { perS, failedPerS, open, total, failedTotal } = figuresOf(edges);
  const facts = [
    ["Requests", rate(perS)],
    ["Failed", rate(failedPerS)],
    ["Open", count(open)],
    ["p50", quantileText(edges, "p50_s")],
    ["p99", quantileText(edges, "p99_s")],
    ["Since start", `${count(total)}, ${count(failedTotal)} failed`],
  ];
  return html`<dl class="facts call-facts">
    ${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd class="number">${value}</dd></div>`)}
  </dl>`;
}

/** @param {HTMLElement} element */
function isInView(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return bottom > 0 && top < innerHeight;
}

/** Details of the item that is pointed at or chosen. @param {{item: any, isChosen: boolean}} props */
function Details({ item, isChosen }) {
  const { edges, place } = item;
  const [edge] = edges;
  const box = useRef(null);
  useEffect(() => {
    // The user may have chosen the item in the list, far below.
    if (isChosen && !isInView(box.current)) box.current.scrollIntoView({ block: "nearest" });
  }, [item.id, isChosen]);
  const ofTargets = item.behind !== undefined;
  const callers = ofTargets ? null : new Set(edges.map(callerOf));
  const services = new Set(edges.map(serviceOf));
  return html`<${Card}
    title=${item.label}
    id="call"
    actions=${place && !ofTargets && html`<${Badge} tone=${TONES[place]}>${placeText(place)}<//>`}
  >
    <div class="details" ref=${box}>
      <${Facts} edges=${edges} />
      ${
        callers === null
          ? html`<${TargetFacts} targets=${edges} />`
          : callers.size === 1
          ? html`<p class="muted">${item.choice.from ? "" : `Calls of ${callerText(edge.caller)}. `}${kindText(edge.caller.kind)}</p>`
          : html`<p class="muted">Of ${callersText(edges)}.</p>`
      }
      <p class="inline">
        ${services.size === 1 && html`<a href=${href("services", {}, serviceOf(edge))}>Service ${serviceText(edge)}</a>`}
        ${item.site && html`<a href=${href("topology", { site: item.site.name })}>Site ${item.site.name}</a>`}
      </p>
      ${
        isChosen
          ? html`<p><${Close} onClick=${() => setParams(NONE)} /></p>`
          : html`<p class="muted">Click it, or press Enter, for its last day.</p>`
      }
    </div>
  <//>`;
}

function Summary({ graph, edges }) {
  if (!graph.edges.length) {
    return html`<${Card} title="Calls" id="calls-summary"><${NoCallers} graph=${graph} /><//>`;
  }
  const away = edges.filter((edge) => edge.crosses);
  const [all, crossing] = [figuresOf(edges), figuresOf(away)];
  return html`<${Card} title="Calls" id="calls-summary">
    <div class="details">
      <p>
        ${callersText(edges)} of ${plural(new Set(edges.map(serviceOf)).size, "service")}:${" "}
        <span class="strong number">${rate(all.perS)}</span>.
      </p>
      <p>
        Another site serves <span class="strong number">${rate(crossing.perS)}</span> of them;${" "}
        ${
          all.failedPerS > 0
            ? html`<${Badge} tone="bad">${rate(all.failedPerS)} fail<//>`
            : html`<${Badge} tone="good">none fail<//>`
        }
      </p>
      <${Notes} graph=${graph} />
      <p class="muted small">
        Point at a line or a name for its figures. In the picture, arrow keys move.
      </p>
    </div>
  <//>`;
}

/** The chosen item's last day, loaded once it is chosen. */
function LastDay({ item, choice, shown, shownTargets, live }) {
  const [target] = choice.on && choice.on !== "others" ? item.edges : [];
  const service = target ? serviceOf(target) : choice.to && choice.to !== "others" ? choice.to : null;
  const answer = useAnswer("graph", { history: "true", service }, DAY_MS);
  const histories = useMemo(() => {
    const chosen = choice.on
      ? targetsOf(answer.value?.targets ?? [], choice.on, shownTargets)
      : chosenOf(answer.value?.edges ?? [], choice, shown);
    return chosen.map((one) => one.history ?? []);
  }, [answer.value, idOf(choice), shown, shownTargets]);
  if (!answer.value) {
    return html`<${Card} title="Last day" id="day-none">
      ${answer.error ? html`<${Failed} error=${answer.error} />` : html`<${Loading} lines=${4} />`}
    <//>`;
  }
  return html`<${Day}
    key=${item.id}
    title=${`Last day: ${item.label}`}
    histories=${histories}
    stepS=${answer.value.step_s}
    currentS=${answer.value.current_step_s}
    uptimeS=${live.status.uptime_s}
  />`;
}

/** @param {{live: any, route: import("../route.js").Route}} props */
export function ServiceGraph({ live, route }) {
  const { params } = route;
  const answer = useAnswer("graph", {}, ASK_MS);
  const [pointed, setPointed] = useState(/** @type {string | null} */ (null));
  // A row has its figures already: pointing at a row only highlights its line, so that no row moves.
  const [row, setRow] = useState(/** @type {string | null} */ (null));
  const before = useRef({ shown: /** @type {Set<string>[]} */ ([]), targets: /** @type {Set<string>} */ (new Set()) });
  const graph = answer.value;
  const sites = live.network.map((site) => `${site.id} ${site.path_cost}`).join();
  const { edges, targets, columns, shown, shownTargets } = useMemo(() => {
    const found = filtered(graph?.edges ?? [], params);
    // The callers of a target's requests are not known.
    const behind = params.caller
      ? []
      : (graph?.targets ?? []).filter((one) => !params.service || serviceOf(one) === params.service);
    const items = itemsOf(found, live, before.current.shown);
    const all = withTargets(items.columns, found, behind, graph?.site, before.current.targets);
    before.current = { shown: items.shown, targets: all.shownTargets };
    return { edges: busiestFirst(found), targets: behind, shown: items.shown, ...all };
  }, [graph, params.service, params.caller, sites]);
  if (!graph) {
    return html`<${Card}>
      ${answer.error ? html`<${Failed} error=${answer.error} />` : html`<${Loading} lines=${6} />`}
    <//>`;
  }
  if (!graph.edges.length && !graph.targets.length) {
    return html`<${Card}><${NoCallers} graph=${graph} /><//>`;
  }

  const { on } = params;
  const choice = on ? { on } : { from: params.from, to: params.to, at: params.at };
  const isAny = choice.from || choice.to || choice.at;
  const chosen = on ? targetsOf(targets, on, shownTargets) : isAny ? chosenOf(edges, choice, shown) : [];
  const within = chosen.length ? itemWith(columns, choice, chosen) : null;
  const chosenAlone = () =>
    on ? targetItem(on, chosen, graph.site, edges) : itemOfChoice(choice, chosen);
  const chosenItem = within && (within.id === idOf(choice) ? within : chosenAlone());
  const itemBy = (wanted) => columns.flat().find(({ id }) => id === wanted) ?? null;
  const item = itemBy(pointed);
  const lineOf = (edge) => columns[1].find((one) => one.edges.includes(edge))?.id ?? null;
  const choose = (one) => {
    const isSame = one && chosenItem && one.id === within.id;
    setParams(one && !isSame ? { ...NONE, ...one.choice } : NONE);
  };
  const most = columns[0].length;
  return html`
    <${OldFigures} answer=${answer} />
    ${whoseRequests(live.status) && html`<p class="muted note">${whoseRequests(live.status)}</p>`}
    <div class=${chosenItem ? "map-and-site calls-and-day" : "map-and-site"}>
      <${Card} title="Callers, services, sites and targets" id="calls">
        <${Filters} edges=${[...graph.edges, ...graph.targets]} params=${params} />
        ${
          edges.length || targets.length
            ? html`<${CallsPicture}
                  columns=${columns}
                  shown=${item ?? itemBy(row) ?? within}
                  chosenId=${within?.id ?? ""}
                  label=${`Callers, services, sites and targets: ${plural(edges.length + targets.length, "edge")}, as in the lists below. Arrow keys move, Enter chooses, Escape goes back.`}
                  onPoint=${(one) => setPointed(one?.id ?? null)}
                  onChoose=${choose}
                />
                <${CallsLegend} hasIncoming=${columns[5].some(({ place }) => place === "incoming")} />`
            : html`<${Empty}>No caller matches the filter.<//>`
        }
      <//>
      <div class="call-side">
        ${
          item && item.id !== within?.id
            ? html`<${Details} item=${item} isChosen=${false} />`
            : chosenItem
              ? html`<${Details} item=${chosenItem} isChosen />`
              : html`<${Summary} graph=${graph} edges=${edges} />`
        }
      </div>
      ${chosenItem && html`<${LastDay} item=${chosenItem} choice=${choice} shown=${shown} shownTargets=${shownTargets} live=${live} />`}
    </div>
    ${graph.edges.length > 0 && html`<${Card} title="All calls" id="all-calls">
      <p class="muted note">
        The busiest first. Requests, failures and latency: of the last one to two minutes. Failed
        includes requests that were shed or that clients gave up on. A tcp connection counts when it
        ends.${" "}
        ${most < new Set(edges.map(callerOf)).size &&
        `The picture shows the ${most - 1} busiest callers separately.`}
      </p>
      <${CallersTable}
        caption="All calls"
        edges=${edges}
        withService
        params=${params}
        rowProps=${(edge) => ({
          onMouseEnter: () => setRow(lineOf(edge)),
          onMouseLeave: () => setRow(null),
          onFocusCapture: () => setRow(lineOf(edge)),
          onBlurCapture: () => setRow(null),
          class: chosen.length === 1 && chosen[0] === edge ? "shown" : "",
        })}
        empty=${html`<${Empty}>No caller matches the filter.<//>`}
      />
    <//>`}
    ${graph.targets.length > 0 && html`<${CalledTargets} targets=${graph.targets} site=${graph.site.name} service=${params.service} />`}
  `;
}

"""`status`: the site in a few lines."""

from collections import Counter
from operator import itemgetter
from typing import Any

import click

from sitectl.base import colours, output
from sitectl.base.failure import Exit, Failure, doc_of
from sitectl.base.options import Settings
from sitectl.base.verb import Verb
from sitectl.base.watch import Picture, show, watch_flag
from sitectl.selection import store
from sitectl.show import ages, history

_SHOWN_INFOS = ("SW0676", "SW0331", "SW0350", "SW0351", "SW0353")
_NOTES_SHOWN = 3
_PROBLEMS_SHOWN = 10


@click.command(cls=Verb)
@click.option("-v", "--verbose", is_flag=True, hidden=True)
@watch_flag
@click.pass_context
def status(ctx: click.Context, verbose: bool, watch: float | None) -> None:
    """Show the site in a few lines; exit 3: problems, or no router runs; 8: no answer from it.

    \b
    Examples:
      sitectl status
      sitectl status --watch 5
      kubectl exec deploy/spillway-router -- sitectl status
    """
    settings = ctx.ensure_object(Settings)
    show(ctx, lambda: _look(settings), watch)


def _look(settings: Settings) -> Picture:
    site = store.find_site(settings)
    unanswered: Failure | None = None
    try:
        item = site.admin.get("/api/v1/status")
        running = True
    except Failure as failure:
        if not site.degrades(failure):
            raise
        item, running = site.last_status(failure), False
        unanswered = site.unanswered(failure)
        if unanswered is not None:
            item["unreachable"] = failure.message
    if running and (item.get("console") or {}).get("url"):
        item["console"] = site.console_of(item["console"])
    runtime = site.runtime()
    item |= {"runtime": runtime} if runtime else {}
    for problem in (*(item.get("problems") or ()), *(item.get("notes") or ())):
        problem["doc"] = doc_of(problem["code"])
    load = ""
    if running and history.people_look(settings):
        load = _load(site.admin, int(item.get("services") or 0))
    is_well = running and item.get("ready") and not item.get("problems")
    code = Exit.OK if is_well else Exit.DEGRADED
    return Picture(
        "Status",
        {"item": item},
        lambda: _text(item, load, running=running),
        code,
        unanswered,
    )


def _load(door: Any, services: int) -> str:
    """Requests a second of all services: a line of the last minutes, and the figure of its last
    step; empty: not known."""
    if not 0 < services <= history.SERVICES_MAX:
        return ""
    histories = history.of(door)
    rates = history.together(histories)
    if not rates:
        return ""
    reach = f"{history.minutes(histories):.0f} min"
    away = history.together(histories, history.spilled_per_second)[-1]
    until = history.partial_until(histories)
    partial = f"; up to {until} without a worker that ended or does not answer" if until else ""
    spilled = f", {away:.3g}/s of them served elsewhere" if away else ""
    line = history.drawn(rates, 24)
    return f"{line} last {reach}, now {rates[-1]:.3g} requests/s{spilled}{partial}"


def _state(item: dict[str, Any], running: bool) -> str:
    if not running:
        return _without_router(item)
    state = colours.paint("ready", colours.GOOD)
    if not item.get("ready"):
        state = colours.paint("not ready", colours.BAD)
    if item.get("draining"):
        state = f"{colours.paint('draining', colours.WARN)}: it stops once requests have ended"
    if item.get("problems"):
        state += f", {colours.paint('degraded', colours.WARN)}"
    return state


def _text(item: dict[str, Any], load: str, *, running: bool) -> str:
    lines = [
        f"Site:     {output.safe(item.get('name'))} ({output.safe(item.get('id') or 'no id yet')})",
        f"State:    {_state(item, running)}",
    ]
    if item.get("mode"):
        mode, version = output.safe(item["mode"]), output.safe(item.get("version"))
        lines.append(f"Mode:     {mode}, version {version}")
    if item.get("sharing") == "strict":
        lines.append("Sharing:  strict")
    runtime = item.get("runtime")
    if runtime:
        told = [runtime.get(key) for key in ("unit", "container", "state", "error")]
        if runtime.get("health") == "unhealthy" and runtime.get("state") == "running":
            told.append("unhealthy")
        lines.append(
            f"Run by:   {output.safe(', '.join([runtime['runtime'], *filter(None, told)]))}"
        )
    if running:
        lines.append(f"Uptime:   {ages.age(float(item.get('uptime_s') or 0))}")
    lines.append(
        f"Network:  {output.sites(item)}, "
        f"{output.links_up(item)}, "
        f"{output.count(item.get('services'), 'service')}"
    )
    if load:
        lines.append(f"Load:     {load}")
    if running and item.get("replicas", 1) > 1:
        lines.append(f"Routers:  {item['replicas']} of this site, linked to each other;")
        lines.append("          links and rates here are those of the router that answers")
    workers = item.get("workers") or []
    if running and workers:
        lines.append(f"Workers:  {_workers(workers)}")
    if running and item.get("workers_next"):
        wanted = output.count(item["workers_next"], "worker")
        lines.append(f"Workers:  {wanted} from the next start on")
        lines.append("          Next: sitectl stop, then sitectl start")
    console = item.get("console") or {}
    if console.get("url"):
        lines.append(f"Console:  {output.safe(console['url'])}")
    return "\n".join([*lines, *_findings(item)])


def _findings(item: dict[str, Any]) -> list[str]:
    """Problems; then warnings; then these informational notes: lost incoming links, services
    without a configured capacity, and services that a strict site does not share or use.

    Only the first of very many: one dead host may be the target of each service. Of the notes, the
    first of each code, before the second of any: many new offers hide no site that is drained.
    """
    lines = []
    problems = item.get("problems") or []
    for problem in problems[:_PROBLEMS_SHOWN]:
        since = f" (since {output.safe(problem['since'])})" if problem.get("since") else ""
        code = colours.paint(output.safe(problem["code"]), colours.WARN)
        lines.append(f"Problem:  {code} {output.safe(problem['message'])}{since}")
        if problem.get("hint"):
            lines.append(f"          Next: {output.safe(problem['hint'])}")
    if left := problems[_PROBLEMS_SHOWN:]:
        lines.append(f"          {output.count(len(left), 'more problem')}: sitectl check")
    notes = item.get("notes") or []
    shown = [note for note in notes if note["severity"] == "warning"]
    shown += [note for note in notes if note not in shown and note["code"] in _SHOWN_INFOS]
    for note in _each_code_first(shown)[:_NOTES_SHOWN]:
        lines.append(f"Note:     {output.safe(note['code'])} {output.safe(note['message'])}")
        if note["hint"]:
            lines.append(f"          Next: {output.safe(note['hint'])}")
    if len(shown) > _NOTES_SHOWN:
        lines.append(f"          {len(shown) - _NOTES_SHOWN} more: sitectl check")
    return lines


def _each_code_first(notes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """``notes`` in their order, but the second of a code after the first of every other."""
    seen: Counter[str] = Counter()
    ranked = []
    for note in notes:
        ranked.append((seen[note["code"]], note))
        seen[note["code"]] += 1
    return [note for _, note in sorted(ranked, key=itemgetter(0))]


def _workers(workers: list[dict[str, Any]]) -> str:
    """How many there are, and which of them do not serve."""
    missing = [str(one["index"]) for one in workers if not one["ready"]]
    if not missing:
        return f"{len(workers)}, all ready"
    ready = len(workers) - len(missing)
    return colours.paint(
        f"{ready} of {len(workers)} ready, not: {', '.join(missing)}", colours.WARN
    )


def _without_router(item: dict[str, Any]) -> str:
    """Status text when no router answers; ``age_s``: only if another process stores it."""
    if item.get("unreachable"):
        mute = colours.paint("unreachable", colours.BAD)
        return f"{mute}: the router runs and does not answer; this is what is configured"
    if "age_s" not in item:
        stopped = colours.paint("stopped", colours.WARN)
        return f"{stopped}; this is what is configured\n          Next: sitectl start"
    if item["age_s"] is None:
        return "no router answers; this is what is configured"
    ago = f"{ages.age(item['age_s'])} ago"
    if item["stopped"]:
        stopped = colours.paint("stopped", colours.WARN)
        return f"{stopped} in order {ago}: no router is ready; this is what the last one wrote"
    if item["stale"] is False:
        return f"no router answers; one runs or ended just now: this was so {ago}"
    stale = colours.paint("stale", colours.BAD)
    why = "no router has written since" if item["stale"] else "nothing says whether one runs"
    return f"no router answers; {stale}: this was so {ago}, {why}"

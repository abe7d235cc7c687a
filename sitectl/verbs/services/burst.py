"""`burst status|test|delete`: the actions for a service that is saturated here."""

import time
from typing import Any, Final

import click

from sitectl.base import output
from sitectl.base.failure import Exit, Failure, not_found
from sitectl.base.options import Duration, Settings, completes
from sitectl.base.verb import Verbs
from sitectl.selection import store
from sitectl.site.site import Site

POLL_S: Final = 0.2
TEST_WAIT_S: Final = 120.0


@click.group("burst", cls=Verbs)
def group() -> None:
    """Burst hooks: actions when a service is saturated here, and when it is calm again.

    \b
    Examples:
      sitectl burst status
      sitectl burst test wake-cloud
    """


def _bursts(site: Site, name: str | None) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = site.admin.get("/api/v1/bursts")
    if name is None:
        return items
    found = [item for item in items if item.get("name") == name]
    if not found:
        raise not_found(f"no burst {name!r} at {site.name}", "sitectl burst status")
    return found


@group.command("status")
@click.argument("name", required=False, shell_complete=completes("bursts"))
@click.pass_obj
def status(settings: Settings, name: str | None) -> None:
    """Show state and figures of each Burst, its thresholds, and the last run of its hook.

    \b
    Examples:
      sitectl burst status
      sitectl burst status wake-cloud -o json
    """
    site = store.find_site(settings)
    items = _bursts(site, name)

    def text() -> str:
        if not items:
            return (
                "No bursts. One is a document of kind Burst: sitectl apply -f FILE, with one of "
                "examples/burst-hook/; docs/bursts.md says how."
            )
        return _details(items[0]) if name is not None else _table(items)

    if name is not None:
        output.emit_item(settings, "Burst", items[0], text)
    else:
        output.emit_items(settings, "Burst", items, text)


def _table(items: list[dict[str, Any]]) -> str:
    return output.rows(
        ("BURST", "SERVICE", "STATE", "SINCE", "NOW (SATURATED, CALM)", "HOOK", "LAST", "RESULT"),
        [
            (
                item.get("name"),
                item.get("service"),
                item.get("state"),
                item.get("since"),
                [_figure(figure) for figure in item.get("figures") or []],
                item.get("hook"),
                (item.get("last") or {}).get("at"),
                _result(item),
            )
            for item in items
        ],
    )


def _figure(figure: dict[str, Any]) -> str:
    def shown(number: float) -> str:
        if figure.get("name") == "queueWait":
            return output.seconds(number)
        return f"{100 * number:.3g}%" if number < 1 else f"{100 * number:.0f}%"

    now, high, low = (float(figure.get(key) or 0) for key in ("now", "saturated", "calm"))
    return f"{figure.get('name')} {shown(now)} ({shown(high)}, {shown(low)})"


def _result(item: dict[str, Any]) -> str:
    if item.get("refusal"):
        return "refused here"
    if item.get("running"):
        return "runs now"
    last = item.get("last")
    if item.get("owed"):
        return f"failed, again {item['again']}" if item.get("again") else "to be run"
    return "" if last is None else "ok" if last.get("ok") else "failed"


def _details(item: dict[str, Any]) -> str:
    safe = output.safe
    since = f" since {safe(item['since'])}" if item.get("since") else ""
    window = "" if item.get("window_whole") else ", not watched for a whole window yet"
    lines = [
        f"Burst:    {safe(item.get('name'))}, of service {safe(item.get('service'))}",
        f"State:    {safe(item.get('state'))}{since}",
        f"Window:   {output.seconds(float(item.get('window_s') or 0))}, "
        f"{item.get('requests')} requests, demand {item.get('demand')}{window}",
    ]
    lines += [f"          {safe(_figure(figure))}" for figure in item.get("figures") or []]
    if item.get("next_allowed"):
        lines.append(f"Cooling:  no other state before {safe(item['next_allowed'])}")
    lines.append(f"Hook:     {safe(item.get('hook'))}, {_result(item) or 'never run'}")
    if item.get("refusal"):
        lines.append(f"          {safe(item['refusal'])}")
    if not item.get("fires_here"):
        lines.append("          run by another router of this site, which holds the lease")
    lines += _run("Last:", item.get("last")) + _run("Test:", item.get("last_test"))
    return "\n".join(lines)


def _run(head: str, run: dict[str, Any] | None) -> list[str]:
    if run is None:
        return []
    how = "ok" if run.get("ok") else "failed"
    lines = [
        f"{head:<10}{output.safe(run.get('event'))} at {output.safe(run.get('at'))}, {how}: "
        f"{output.safe(run.get('text'))}"
    ]
    if run.get("hint") and not run.get("ok"):
        lines.append(f"          Next: {output.safe(run['hint'])}")
    return lines


@group.command("test")
@click.argument("name", shell_complete=completes("bursts"))
@click.option("--calm", is_flag=True, help="Send the event calm instead of saturated.")
@click.option(
    "--timeout",
    type=Duration(),
    default=TEST_WAIT_S,
    show_default=False,
    help="Maximum wait for the hook. [default: 2m]",
)
@click.pass_obj
def test(settings: Settings, name: str, calm: bool, timeout: float) -> None:
    """Run the hook of NAME now, marked as a test, and print its result; exit 1 if it failed.

    The state of the burst stays. The hook's effects are real: undo them with --calm.

    \b
    Examples:
      sitectl burst test wake-cloud
      sitectl burst test wake-cloud --calm
    """
    site = store.find_site(settings)
    before = _number(_bursts(site, name)[0])
    event = "calm" if calm else "saturated"
    site.admin.command("burst-test", burst=name, event=event)
    until = time.monotonic() + timeout
    while (left_s := until - time.monotonic()) > 0:
        item = _bursts(site, name)[0]
        if _number(item) > before:
            _tell_of_test(settings, item["last_test"])
            return
        time.sleep(min(POLL_S, left_s))
    raise Failure(
        Exit.TIMED_OUT,
        "timed-out",
        f"the hook of burst {name} has not ended within {timeout:g} s",
        f"sitectl burst status {name}",
    )


@group.command("delete")
@click.argument("name", shell_complete=completes("bursts"))
@click.pass_obj
def delete(settings: Settings, name: str) -> None:
    """Remove the Burst; its hook runs no more, not even for calm.

    \b
    Examples:
      sitectl burst delete wake-cloud
      sitectl burst test wake-cloud --calm      before it, to undo what was made
    """
    site = store.site_to_change(settings)
    document = site.find("Burst", name)
    if document is None:
        text = f"no burst {name} at {site.name}, nothing to delete"
        output.report(settings, "Burst", name, "unchanged", text)
        return
    try:
        is_saturated = _bursts(site, name)[0].get("state") == "saturated"
    except Failure:
        is_saturated = False  # Its router does not run, or has not read it.
    site.delete_all([document])
    output.report(settings, "Burst", name, "deleted", f"burst {name} deleted")
    if is_saturated:
        output.note("it was saturated: what its hook made stays")


def _tell_of_test(settings: Settings, run: dict[str, Any]) -> None:
    output.emit_item(settings, "BurstRun", run, lambda: "\n".join(_run("Test:", run)))
    if not run.get("ok"):
        raise click.exceptions.Exit(int(Exit.FAILED))


def _number(item: dict[str, Any]) -> int:
    return int((item.get("last_test") or {}).get("number") or 0)

"""`events`: what happened, and what happens."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

import click

from router.documents.quantities import duration_s
from router.model.wording.routing_key_names import AskedService, is_hashed
from sitectl.base import output
from sitectl.base.failure import Exit, Failure, unreachable, usage
from sitectl.base.options import Settings
from sitectl.base.verb import Verb
from sitectl.flags.services.names import known_services, nearest_service
from sitectl.selection import store
from sitectl.site.directory import DirectorySite
from sitectl.site.event_files import events_of
from sitectl.site.site import Site

SEVERITIES: Final = ("info", "warning", "error")

Wanted = Callable[[dict[str, Any]], bool]


@click.command(cls=Verb)
@click.option("-f", "--follow", is_flag=True, help="Wait for new events and print them.")
@click.option("--since", metavar="D", help="Events since a time, or of the last 30s, 15m, 2h, 3d.")
@click.option("--severity", type=click.Choice(SEVERITIES), help="Events of this severity or worse.")
@click.option("--service", metavar="NAME[:PORT]", help="Events of this service.")
@click.option("--code", metavar="C", help="Events with this code: link-down, overflow-ended, …")
@click.option("--kind", type=click.Choice(("event", "audit")), help="audit: only what users did.")
@click.pass_obj
def events(
    settings: Settings,
    follow: bool,
    since: str | None,
    severity: str | None,
    service: str | None,
    code: str | None,
    kind: str | None,
) -> None:
    """Show changes of state and their authors, oldest first; with -f -o json one object a line.

    --since also shows events from before a restart. If the router does not answer, the events come
    from run/events.log. -f ends with exit 8 when the router ends.

    \b
    Examples:
      sitectl events
      sitectl events --since 2h --severity warning
      sitectl events --service shop --code overflow-ended
      sitectl events --kind audit --since 2026-01-01T12:00Z
      sitectl events -f -o json
    """
    asked = {
        "since": _moment(since) if since is not None else "",
        "severity": severity or "",
        "service": service or "",
        "code": code or "",
        "kind": kind or "",
    }
    query = {key: text for key, text in asked.items() if text}
    site, wanted = store.find_site(settings), _chooser(query)
    if not follow:
        items = [item for item in _known(site, query) if wanted(item)]
        output.emit_items(settings, "Event", items, lambda: _text(items, query))
        if service and not items:
            _tell_similar(site, service)
        return
    for event in site.admin.events():
        if wanted(event):
            is_text = settings.output == "table"
            click.echo(
                settings.here(line(event)) if is_text else json.dumps(settings.advised(event))
            )
    raise unreachable(
        f"the stream of events of site {site.name!r} ended",
        "See whether its router runs: sitectl status",
    )


def _known(site: Site, query: dict[str, str]) -> list[dict[str, Any]]:
    path = "/api/v1/events" + (f"?{urlencode(query)}" if query else "")
    try:
        items: list[dict[str, Any]] = site.admin.get(path)
    except Failure as failure:
        if failure.exit_code is not Exit.UNREACHABLE or not isinstance(site, DirectorySite):
            raise
        items = events_of(site.directory / "run")
        if not items:
            raise
        output.note(f"{failure.message}: these are from run/events.log")
    return items


def _moment(text: str) -> str:
    """UTC, as events have it, of ``2h`` ago or of a time."""
    days = text.removesuffix("d")
    is_days = text.endswith("d") and days.isascii() and days.isdigit() and len(days) < 5
    seconds = int(days) * 86_400.0 if is_days else duration_s(text)
    if seconds is not None:
        moment = datetime.now(UTC) - timedelta(seconds=min(seconds, 3_650 * 86_400.0))
    else:
        try:
            moment = datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise usage(
                f"--since {text!r} is neither a duration nor a time",
                "--since 2h, --since 3d or --since 2026-01-01T12:00Z",
            ) from error
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _chooser(query: dict[str, str]) -> Wanted:
    """The same choice as the router's: an older one, the stream and the file make none."""
    least = SEVERITIES.index(query.get("severity", "info"))
    since, service = query.get("since", ""), query.get("service", "")
    meant = AskedService(service)  # It may be gone.
    code, kind = query.get("code", ""), query.get("kind", "")

    def wanted(event: dict[str, Any]) -> bool:
        severity, subject = event.get("severity", "info"), str(event.get("subject", ""))
        return (
            (severity not in SEVERITIES or SEVERITIES.index(severity) >= least)
            and str(event.get("at", "")) >= since
            and (not service or meant.has(subject, str(event.get("service") or "")))
            and (not code or event.get("code") == code)
            and (not kind or event.get("kind", "event") == kind)
        )

    return wanted


def _tell_similar(site: Site, service: str) -> None:
    """A note if no such service is known now, and another one has a similar name."""
    name = service.partition(":")[0]
    known = known_services(site)
    if not {name, service} & {*known, *known.values()} and (meant := nearest_service(site, name)):
        output.note(f"no service {name!r} is known now; {meant}")


def _text(items: list[dict[str, Any]], query: dict[str, str]) -> str:
    if items:
        return "\n".join(map(line, items))
    if query:
        return "No such events. All that are known: sitectl events"
    return "No events yet. Follow them with: sitectl events -f"


def line(event: dict[str, Any]) -> str:
    """One event as a line of text."""
    hint = f" ({event['hint']})" if event.get("hint") else ""
    by = f" By {event['by']}." if event.get("by") else ""
    subject, message = str(event.get("subject")), str(event.get("message"))
    text = message if subject in message or is_hashed(subject) else f"{subject}: {message}"
    return output.safe(
        f"{event.get('at')}  {event.get('severity', ''):<7}  {event.get('code', ''):<20}  "
        f"{text}{by}{hint}"
    )

"""`events`: what happened, and what happens."""

import json
from typing import Any

import click

from sitectl import output, store
from sitectl.options import Settings, Verb


@click.command(cls=Verb)
@click.option("-f", "--follow", is_flag=True, help="Stay and print each new one.")
@click.pass_obj
def events(settings: Settings, follow: bool) -> None:
    """Changes of state, oldest first; with -f and -o json one object on each line.

    \b
    Examples:
      sitectl events
      sitectl events -f -o json
    """
    site = store.find_site(settings)
    if not follow:
        items = site.admin.get("/api/v1/events")
        output.emit_items(settings, "Event", items, lambda: settings.here(_text(items)))
        return
    for event in site.admin.events():
        click.echo(_line(event) if settings.output == "table" else json.dumps(event))


def _text(items: list[dict[str, Any]]) -> str:
    return "\n".join(map(_line, items)) or "No events yet. Follow them with: sitectl events -f"


def _line(event: dict[str, Any]) -> str:
    hint = f" ({event['hint']})" if event.get("hint") else ""
    subject, message = str(event.get("subject")), str(event.get("message"))
    text = message if subject in message else f"{subject}: {message}"
    return output.safe(
        f"{event.get('at')}  {event.get('severity', ''):<7}  {event.get('code', ''):<20}  "
        f"{text}{hint}"
    )

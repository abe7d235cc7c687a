"""`access`: who may declare, offer and call what, by whose word and until when."""

import urllib.parse
from typing import Any

import click

from router.model.rights.sharing import ALL, SHORT_ID_CHARS
from sitectl.base import output
from sitectl.base.options import Settings, completes
from sitectl.base.verb import Verb
from sitectl.selection import store


@click.command("access", cls=Verb)
@click.argument("service", required=False, shell_complete=completes("services"))
@click.pass_obj
def access(settings: Settings, service: str | None) -> None:
    """Show which site may declare, offer and call each service, by which rule, until when.

    One row for each declaration, each offer of targets, each grant, and each rule of this site. In
    open mode every site may do what no rule forbids; in strict mode only what a rule or a grant
    allows.

    \b
    Examples:
      sitectl access
      sitectl access shop
      sitectl access -o json
    """
    query = f"?{urllib.parse.urlencode({'service': service})}" if service is not None else ""
    item = store.find_site(settings).admin.get(f"/api/v1/access{query}")
    output.emit_item(settings, "Access", item, lambda: _text(item, service))


def _text(item: dict[str, Any], service: str | None) -> str:
    head = f"sharing: {output.safe(item['sharing'])}"
    if not item["rows"]:
        what = "anything" if service is None else f"anything with {output.safe(service)}"
        return f"{head}\nNo rule and no grant lets a site do {what} here."
    table = output.rows(
        ("SERVICE", "SITE", "MAY", "BY", "UNTIL", "CAPACITY", "STATE"),
        [
            (
                row["service"],
                _site(row),
                row["may"],
                row["by"],
                row["until"],
                row["capacity"],
                row["state"],
            )
            for row in item["rows"]
        ],
        optional=("CAPACITY", "UNTIL"),
    )
    more = f"\n{item['left_out']} more: sitectl access SERVICE" if item["left_out"] else ""
    return f"{head}\n\n{table}{more}"


def _site(row: dict[str, Any]) -> str:
    """``west (3469fab8)``, or the pattern of a rule."""
    if row["site"] == ALL:
        return "all sites"
    if not row["site_id"]:
        return str(row["site"])
    short = row["site_id"][:SHORT_ID_CHARS]
    name = row["site"].removesuffix(f"@{short}")
    return short if name == row["site_id"] else f"{name} ({short})"

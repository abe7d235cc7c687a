"""`explain`: what a code of a problem or an event means, without network or site."""

import click

from sitectl.base import output
from sitectl.base.failure import not_found
from sitectl.base.options import Settings
from sitectl.base.verb import Verb


@click.command(cls=Verb)
@click.argument("code", required=False)
@click.pass_obj
def explain(settings: Settings, code: str | None) -> None:
    """Explain CODE and the next step; without CODE, list all codes.

    CODE is that of a problem (SW0404) or an event (overflow-begun).

    \b
    Examples:
      sitectl explain SW0404
      sitectl explain 404
      sitectl explain overflow-begun
      sitectl explain
    """
    from router.model.codes import CODES
    from router.model.event_codes import EVENT_CODES

    if code is None:
        items = [{"code": one.code, "title": one.title, "doc": one.doc} for one in CODES.values()]
        items.sort(key=lambda item: item["code"])
        output.emit_items(
            settings,
            "Code",
            items,
            lambda: output.rows(
                ("CODE", "TITLE"), [(item["code"], item["title"]) for item in items]
            ),
        )
        return
    if (event := EVENT_CODES.get(code.lower())) is not None:
        _emit(
            settings,
            code=event.code,
            title=event.meaning,
            meaning=f"An event about: {event.about}.",
            step=f"sitectl events --code {event.code}",
            doc="docs/events.md#all-codes",
        )
        return
    digits = code.upper().removeprefix("SW")
    found = CODES.get(f"SW{digits:0>4}") if digits.isascii() and digits.isdigit() else None
    if found is None:
        raise not_found(
            f"no code {code!r}",
            "sitectl explain lists all of problems, which look like SW0404; those of events are in "
            "docs/events.md, Spillway-Error of answers in docs/observability.md",
        )
    _emit(
        settings,
        code=found.code,
        title=found.title,
        meaning=found.meaning,
        step=found.step,
        doc=found.doc,
    )


def _emit(settings: Settings, **told: str) -> None:
    text = (
        f"{told['code']}  {told['title']}\n\n{told['meaning']}\n\n"
        f"Next: {told['step']}\nDocs: {told['doc']}"
    )
    output.emit_item(settings, "Code", told, lambda: text)

"""The status ConfigMap has room for what an API server says, however long that is."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from router.admin.views.links import LinkView, SiteName
from router.admin.views.status import Status
from router.kubernetes.codecs.status import KEY, ShortStatus, encode
from router.model import limits
from router.model.events import Note, Problem
from router.process.namespace_status import short


def status(*problems: Problem, **fields: Any) -> Status:
    status = Status(
        name="west",
        id="w",
        mode="interior",
        version="1",
        ready=True,
        uptime_s=1.0,
        links=0,
        services=0,
        sites=1,
        problems=problems,
    )
    return msgspec.structs.replace(status, **fields)


class View:
    """Shows a status and links; ``rates``: problems and notes that only rates tell of."""

    def __init__(self, shown: Status, *links: LinkView, rates: Status | None = None) -> None:
        self._steady, self._whole, self._links = shown, rates or shown, links

    def status(self) -> Status:
        return self._whole

    def own_status(self, *, steady: bool = False) -> Status:
        return self._steady if steady else self._whole

    def links(self) -> tuple[LinkView, ...]:
        return self._links


def shown(view: View) -> ShortStatus:
    return short(view, "west-0")


def written(view: View) -> Any:
    return shown(view).fields


def link(name: str, direction: str, state: str) -> LinkView:
    return LinkView(
        name=name,
        neighbour=SiteName(id="e", name="east"),
        direction=direction,
        cost=1,
        state=state,
        since="",
        rtt_ms=None,
        lanes=0,
        streams=0,
        error="",
        certificate_expires=None,
    )


def condition(kind: str, found: Status, *links: LinkView) -> tuple[str, str, str]:
    """Its status, reason and message."""
    told = written(View(found, *links))
    (one,) = [one for one in told["conditions"] if one["type"] == kind]
    return one["status"], one["reason"], one["message"]


@pytest.mark.parametrize(
    ("direction", "expected"),
    [
        ("outgoing", ("False", "SomeDown", "1 of 2 links up")),
        ("incoming", ("True", "IncomingDown", "1 of 2 links up; other sites dial the rest")),
    ],
)
def test_a_lost_link_is_a_fault_of_the_site_that_dials_it(
    direction: str, expected: tuple[str, str, str]
) -> None:
    links = link("a", "incoming", "up"), link("b", direction, "down")
    assert condition("LinksUp", status(), *links) == expected
    told = written(View(status(), *links))
    assert [one["state"] for one in told["links"]] == ["up", "down"]


def test_all_links_are_up_also_where_there_are_none() -> None:
    assert condition("LinksUp", status()) == ("True", "AllUp", "0 links up")
    up = link("a", "outgoing", "up")
    old = msgspec.structs.replace(up, state="draining", succeeded=True)
    assert condition("LinksUp", status(), up, old) == ("True", "AllUp", "1 link up")
    assert condition("LinksUp", status(), up) == ("True", "AllUp", "1 link up")


def test_one_of_several_routers_counts_its_own_links() -> None:
    several, up = status(replicas=3), link("a", "outgoing", "up")
    where = " at the router that wrote this, one of 3"
    assert condition("LinksUp", several) == ("True", "AllUp", f"0 links up{where}")
    assert condition("LinksUp", several, up) == ("True", "AllUp", f"1 link up{where}")


def test_a_router_that_drains_says_so() -> None:
    drains = status(ready=False, draining=True)
    message = "it stops once requests have ended"
    assert condition("Ready", drains) == ("False", "Draining", message)
    assert condition("Ready", status(ready=False)) == ("False", "NotServing", "")


def test_problems_are_counted_in_words() -> None:
    problem = Problem(code="SW0428", message="a", hint="b")
    assert condition("NoProblems", status(problem)) == ("False", "Found", "1 problem")
    assert condition("NoProblems", status(problem, problem)) == ("False", "Found", "2 problems")


def test_notes_are_listed_beside_problems_and_degrade_nothing() -> None:
    note = Note(severity="warning", code="SW0336", message="1 of 2", hint="look")
    noted = status(notes=(note,))
    assert condition("NoProblems", noted) == ("True", "None", "")
    assert written(View(noted))["notes"] == [
        {"severity": "warning", "code": "SW0336", "message": "1 of 2", "hint": "look"}
    ]


def test_problems_and_notes_of_any_number_and_length_fit_into_a_config_map() -> None:
    long = "x" * 100 * limits.STATUS_TEXT_CHARS_MAX
    problem = Problem(code="SW0428", message=long, hint=long)
    note = Note(severity="warning", code="SW0336", message=long, hint=long)
    told = shown(View(status(*[problem] * 200, notes=(note,) * 200))).fields
    text = encode(told, datetime.now(UTC))[KEY]
    assert len(text) < 5 * limits.STATUS_ITEMS_MAX * limits.STATUS_TEXT_CHARS_MAX


def test_a_time_in_a_note_is_no_reason_to_write_it_again() -> None:
    def noted(message: str) -> View:
        note = Note(severity="warning", code="SW0349", message=message, hint="")
        return View(status(notes=(note,)))

    assert shown(noted("it may hang, 10 s")).gist == shown(noted("it may hang, 15 s")).gist
    assert shown(noted("it may hang")).gist != shown(View(status())).gist


def test_problems_of_rates_are_listed_and_only_their_coming_and_going_counts() -> None:
    def failing(*rates: str) -> View:
        problems = (Problem(code="SW0338", message=f"{rate} fail", hint="") for rate in rates)
        return View(status(), rates=status(*problems))

    assert written(failing("7/s"))["problems"][0]["message"] == "7/s fail"
    assert shown(failing("7/s")).gist == shown(failing("8/s")).gist
    gists = {shown(failing(*["7/s"] * number)).gist for number in range(3)}
    assert len(gists) == 3


def test_a_finding_with_the_figures_of_one_router_names_its_pod() -> None:
    here = "Service shop:80 at this router: 3/s wait"
    full = Problem(code="SW0337", message=here, hint="")
    note = Note(severity="info", code="SW0352", message=here, hint="")
    other = Problem(code="SW0309", message="Service shop:80 has no ready target", hint="")
    told = written(View(status(full, other, notes=(note,), replicas=2)))
    assert [one["message"] for one in (*told["problems"], *told["notes"])] == [
        f"Router west-0: {here}",
        "Service shop:80 has no ready target",
        f"Router west-0: {here}",
    ]

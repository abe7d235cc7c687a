"""The status ConfigMap has room for what an API server says, however long that is."""

import json

import pytest

from router.admin.views import LinkView, SiteName, Status
from router.kubernetes.codecs.status import KEY
from router.model import limits
from router.model.events import Problem
from router.process.namespace_status import short


def status(*problems: Problem) -> Status:
    return Status(
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


@pytest.mark.parametrize(
    ("direction", "holds", "message"),
    [("outgoing", "False", "1 of 2 links are up"), ("incoming", "True", "1 of 1 links are up")],
)
def test_a_lost_link_counts_at_the_site_that_dials_it(
    direction: str, holds: str, message: str
) -> None:
    links = link("a", "incoming", "up"), link("b", direction, "down")
    told = json.loads(short(status(), links)[KEY])
    (condition,) = [one for one in told["conditions"] if one["type"] == "LinksUp"]
    assert (condition["status"], condition["message"]) == (holds, message)
    assert [one["state"] for one in told["links"]] == ["up", "down"]


def test_problems_of_any_number_and_length_fit_into_a_config_map() -> None:
    long = "x" * 1_000_000
    problem = Problem(code="SW0428", message=long, hint=long)
    text = short(status(*[problem] * 200), ())[KEY]
    assert len(text) < 3 * limits.STATUS_ITEMS_MAX * limits.STATUS_TEXT_CHARS_MAX

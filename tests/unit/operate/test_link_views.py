"""Links that are down: which of them are problems."""

from router.admin.views.links import LinkView, SiteName
from router.operate.figures.link_views import marked, of_links

COPY = "far closed: another router with the identity of near is linked here"


def link(name: str, state: str, error: str) -> LinkView:
    return LinkView(
        name=name,
        neighbour=SiteName("far", "f" * 32),
        direction="outgoing",
        cost=1,
        state=state,
        since="",
        rtt_ms=None,
        lanes=0,
        streams=0,
        error=error,
        certificate_expires=None,
    )


def codes(*links: LinkView, copy: str = "") -> list[str]:
    return [problem.code for problem in of_links(links, copy)]


def test_a_copy_that_is_kept_out_is_not_told_to_link_again() -> None:
    refused = link("far", "refused", COPY)
    assert codes(refused) == ["SW0404"]
    assert codes(refused, copy=COPY) == []
    assert codes(refused, link("hub", "down", "it hangs"), copy=COPY) == ["SW0675"]


def test_a_link_that_drains_behind_the_same_link_is_marked() -> None:
    old, new = link("far", "draining", ""), link("far", "up", "")
    assert [one.succeeded for one in marked([old, new])] == [True, False]
    other = link("second", "up", "")
    assert [one.succeeded for one in marked([old, other])] == [False, False]
    assert [one.succeeded for one in marked([old, link("far", "down", "")])] == [False, False]

"""Links that are down: which of them are problems."""

import msgspec

from router.admin.views.links import LinkAtWorker, LinkView, SiteName
from router.operate.figures.link_views import marked, notes_of_links, of_expiries, of_links

NOW = 1_790_000_000.0
SINCE = "2026-01-01T00:00:00Z"
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


def codes(*links: LinkView) -> list[str]:
    return [problem.code for problem in of_links(links)]


def test_a_copy_that_is_kept_out_is_not_told_to_link_again() -> None:
    refused = [link(name, "refused", f"{name} closed: {COPY}") for name in ("far", "lab")]
    assert codes(*refused) == ["SW0404", "SW0404"]
    copies = [msgspec.structs.replace(one, error_code="copy") for one in refused]
    assert codes(*copies, link("hub", "down", "it hangs")) == ["SW0675"]


def test_a_link_without_a_usable_token_is_told_by_its_secret_alone() -> None:
    refused = link("far", "refused", "Secret/far: no link is made of it. Copy it again")
    assert codes(refused) == ["SW0404"]
    assert codes(msgspec.structs.replace(refused, error_code="token")) == []


def test_a_link_whose_certificate_has_ended_is_renewed_before_it_is_made_again() -> None:
    refused = link("far", "refused", "it has expired")
    (problem,) = of_links([msgspec.structs.replace(refused, error_code="expired")])
    assert problem.hint.startswith("When the clocks agree: sitectl link renew far. If that fails:")
    (problem,) = of_links([refused])
    assert problem.hint == "sitectl link delete far, then link with a new token"


def test_a_link_that_a_proxy_refuses_needs_another_proxy_and_no_token() -> None:
    refused = link("far", "refused", "the proxy http://p:3128 refused to connect (403 Forbidden)")
    (problem,) = of_links([msgspec.structs.replace(refused, error_code="proxy")])
    assert problem.hint == "sitectl link set far --proxy URL, or --proxy none"


def test_a_link_of_a_users_object_is_deleted_with_that_object() -> None:
    refused, gone = link("far", "refused", "it is revoked"), link("old", "down", "it was deleted")
    gone = msgspec.structs.replace(gone, error_code="deleted")
    removals = {"far": "kubectl delete link/far", "old": "kubectl edit configmap/links"}
    (problem,) = of_links([refused], removals=removals)
    assert problem.hint == "kubectl delete link/far, then link with a new token"
    (note,) = notes_of_links([gone], SINCE, removals)
    assert note.hint == "kubectl edit configmap/links"
    incoming = msgspec.structs.replace(refused, direction="incoming")
    (problem,) = of_links([incoming], removals=removals)
    assert problem.hint.startswith("sitectl link delete far"), "a verb revokes its access"


def test_a_refused_link_beside_one_to_the_same_site_needs_no_further_token() -> None:
    refused = link("to-far", "refused", "far has revoked the certificate")
    (problem,) = of_links([refused, link("link1", "up", "")])
    assert problem.hint == (
        "Its neighbor is linked over link1. If that will do: sitectl link delete to-far"
    )
    other = msgspec.structs.replace(link("b", "up", ""), neighbour=SiteName("b", "b" * 32))
    (problem,) = of_links([refused, other])
    assert problem.hint.endswith("then link with a new token")


def test_a_link_to_a_site_that_this_one_revoked_is_not_made_again_with_a_token_of_that_site() -> (
    None
):
    refused = link("far", "refused", "near has revoked the access of far")
    (problem,) = of_links([refused], {"f" * 32})
    assert problem.hint == (
        "It comes up by itself once that site has linked here with a new token: sitectl token "
        "create FILE. If it should not: sitectl link delete far"
    )


def test_a_link_to_a_site_that_was_deleted_is_needless_and_no_problem() -> None:
    for state in ("down", "connecting", "refused"):
        line = msgspec.structs.replace(link("far", state, "far was deleted"), error_code="deleted")
        assert codes(line) == []
        (note,) = notes_of_links([line], SINCE)
        assert note.code == "SW0679"
        assert note.message == "Link far to far is not needed any more: far was deleted."
        assert note.hint == "sitectl link delete far"


def test_a_link_that_is_down_since_another_day_names_the_day() -> None:
    lost = msgspec.structs.replace(link("far", "down", "lost"), direction="incoming", since=SINCE)
    (note,) = notes_of_links([lost], SINCE)
    assert note.message == "Link far from far is down since 00:00:00 UTC: lost."
    (note,) = notes_of_links([lost], "2026-01-03T11:00:00Z")
    assert note.message == "Link far from far is down since 2026-01-01 00:00:00 UTC: lost."


def test_of_a_neighbor_that_another_link_reaches_nobody_asks_whether_its_router_runs() -> None:
    lost = msgspec.structs.replace(link("far", "down", "lost"), direction="incoming", since=SINCE)
    other = msgspec.structs.replace(link("far-2", "up", ""), direction="incoming")
    (note,) = notes_of_links([lost, other], SINCE)
    assert note.code == "SW0676"
    assert note.hint == "far dials it, and is linked over far-2. There: sitectl link status"
    silent = msgspec.structs.replace(other, silent_since=SINCE)
    elsewhere = msgspec.structs.replace(other, neighbour=SiteName("hub", "a" * 32))
    for links in ([lost], [lost, silent], [lost, elsewhere]):
        (note,) = (one for one in notes_of_links(links, SINCE) if one.code == "SW0676")
        assert note.hint == "far dials it; is its router running? There: sitectl status"


def test_a_link_that_drains_behind_the_same_link_is_marked() -> None:
    old, new = link("far", "draining", ""), link("far", "up", "")
    assert [one.succeeded for one in marked([old, new])] == [True, False]
    other = link("second", "up", "")
    assert [one.succeeded for one in marked([old, other])] == [False, False]
    assert [one.succeeded for one in marked([old, link("far", "down", "")])] == [False, False]


def waiting_for_a_clock(name: str, site: str) -> LinkView:
    waits = link(name, "down", "the clocks differ by about 24 h")
    return msgspec.structs.replace(waits, neighbour=SiteName(site, site * 32), error_code="clock")


def test_of_two_clocks_neither_is_blamed() -> None:
    twice = [waiting_for_a_clock("one", "a"), waiting_for_a_clock("other", "a")]
    assert [one.code for one in of_links(twice)] == ["SW0660"] * 2
    assert {one.hint for one in of_links(twice)} == {
        "Then the link comes up by itself within half a minute"
    }


def test_where_the_clocks_of_most_neighbors_differ_this_host_is_checked_first() -> None:
    both = [waiting_for_a_clock("one", "a"), waiting_for_a_clock("other", "b")]
    first = "The clocks of 2 of 3 neighbors differ from this host's: check this host first."
    assert all(one.hint.startswith(first) for one in of_links([*both, link("up", "up", "")]))
    near = msgspec.structs.replace(link("near", "up", ""), neighbour=SiteName("near", "c" * 32))
    half = [*both, link("up", "up", ""), near]
    assert all(one.hint.startswith("Then the link") for one in of_links(half))


def place(name: str) -> str:
    return f"/sites/a/secrets/tls/{name}"


def test_the_next_step_for_a_services_certificate_has_its_whole_path() -> None:
    (problem,) = of_expiries({"tls/shop": NOW + 60.0}, NOW, place)
    assert problem.hint == "Put a new one into /sites/a/secrets/tls/shop"


def test_a_certificate_that_ended_does_not_end_soon() -> None:
    problems = of_expiries({"link/a": NOW - 60.0, "link/b": NOW + 60.0}, NOW, place)
    assert [problem.message.split(" at ")[0] for problem in problems] == [
        "The certificate link/a ended",
        "The certificate link/b ends",
    ]
    assert "at once: sitectl link renew a." in problems[0].hint
    assert "unless SW0670 says why it was not" in problems[0].hint


def test_a_link_that_some_workers_lost_is_a_problem_once_one_has_an_error() -> None:
    begun = LinkAtWorker(worker=1, state="connecting", since="a", error="")
    lost = LinkAtWorker(worker=2, state="down", since="b", error="refused")
    again = LinkAtWorker(worker=3, state="down", since="c", error="reset")

    def partly(*down: LinkAtWorker) -> LinkView:
        return msgspec.structs.replace(link("far", "up", ""), workers=4, workers_down=down)

    assert not of_links([partly(begun)])
    (problem,) = of_links([partly(begun, lost)])
    assert (problem.code, problem.since) == ("SW0675", "b")
    sentence = "Link far to far is up at 2 of 4 workers, and down at worker 2: refused"
    assert problem.message == sentence
    (problem,) = of_links([partly(lost, again)])
    assert problem.message.endswith(" and down at workers 2, 3: refused")


def test_the_consoles_own_certificate_is_a_problem_only_when_its_renewal_failed() -> None:
    week = 7 * 86_400.0
    assert of_expiries({"console": NOW + week - 60.0, "leaf": NOW + week - 60.0}, NOW, place) == []
    (problem,) = of_expiries({"console": NOW + 60.0}, NOW, place)
    assert problem.code == "SW0402"
    assert problem.hint == "It is renewed by itself; why it was not: sitectl events"

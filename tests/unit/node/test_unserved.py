"""Sentences about service ports without a ready target."""

import msgspec

from router.admin.views.why import WhyCandidate
from router.model.events import Problem
from router.model.ids import ServiceKey
from router.node.problems.left_out import LeftOut
from router.node.problems.unserved import UnservedPort, problems_of
from router.service.figures import TargetInfo

DB = ServiceKey("db", 5432)
START = (
    "Service db:5432 has no ready target, here or at any site that is reached and may serve it: "
)
STATUS = "sitectl service status db"


def down(host: str, since: float, error: str) -> TargetInfo:
    return TargetInfo(
        name="here",
        host=host,
        port=5432,
        ready=False,
        in_flight=0,
        capacity=None,
        requests_total=0,
        error=error,
        since=since,
    )


def problem(one: UnservedPort) -> Problem:
    (found,) = problems_of([one], lambda moment: f"at {moment:g}")
    assert found.code == "SW0309"
    return found


def gone(site: str, reason: str) -> WhyCandidate:
    return WhyCandidate(
        site=site,
        path=(),
        path_cost=1,
        targets_ready=0,
        capacity=None,
        in_flight=0,
        free=None,
        age_s=None,
        verdict="unreachable",
        reason=reason,
    )


def test_of_targets_here_alone_it_tells_when_the_last_one_went() -> None:
    targets = [down("10.0.0.1", 3.0, "it was reset"), down("10.0.0.2", 7.0, "it refused")]
    assert problem(UnservedPort(key=DB, targets=targets)).since == "at 7"


def test_with_targets_here_it_tells_why_and_not_since_when_if_other_sites_may_have_served() -> None:
    targets = [down("10.0.0.1", 3.0, "it was reset"), down("10.0.0.2", 7.0, "it refused")]
    found = problem(UnservedPort(key=DB, targets=targets, elsewhere=["far"], owners=["far"]))
    assert found.message == (
        f"{START}it refused (and 1 more); far has targets, none of them ready."
    )
    assert (found.since, found.hint) == (
        "",
        f"See why under ERROR: {STATUS}. At far: {STATUS}",
    )


def test_without_targets_here_it_names_the_sites_that_have_some() -> None:
    found = problem(UnservedPort(key=DB, elsewhere=["far"]))
    assert found.message == f"{START}far has targets, none of them ready."
    assert (found.since, found.hint) == ("", f"At far: {STATUS}")
    found = problem(UnservedPort(key=DB, elsewhere=["a", "b", "c", "d", "e"]))
    assert found.message == f"{START}a, b, c and 2 more have targets, none of them ready."
    assert found.hint == f"At a, b, c and 2 more: {STATUS}"


def test_connectors_that_find_no_target_are_to_be_checked_and_nothing_is_to_be_bound() -> None:
    found = problem(UnservedPort(key=DB, is_bound=True, owners=["far"]))
    assert found.message == f"{START}the connectors of this site have no target."
    assert found.hint == "See what the connectors lack: sitectl check"
    found = problem(UnservedPort(key=DB, is_bound=True, elsewhere=["far"]))
    assert found.hint == f"See what the connectors lack: sitectl check. At far: {STATUS}"


def test_else_the_sites_that_had_some() -> None:
    found = problem(UnservedPort(key=DB, gone=[gone("far", "link1 to far is down since 19:44:55")]))
    assert found.message == f"{START}far: link1 to far is down since 19:44:55."
    assert found.hint == f"See the links: sitectl link status. At far: {STATUS}"
    many = [gone(f"s{n}", "no path") for n in range(5)]
    far = problem(UnservedPort(key=DB, gone=many[:2], all_links_up=True))
    assert far.hint == f"See where the path ends: sitectl ping s0. At s0, s1: {STATUS}", (
        "`link status` would show no fault"
    )
    found = problem(UnservedPort(key=DB, gone=many[:4]))
    assert found.message.endswith("s2: no path; and 1 more site that had targets.")
    found = problem(UnservedPort(key=DB, gone=many))
    assert found.message.endswith("s2: no path; and 2 more sites that had targets.")


def test_a_site_that_was_deleted_is_named_only_if_no_other_had_targets() -> None:
    left = msgspec.structs.replace(gone("old", "gone since 19:44:40"), verdict="deleted")
    assert problem(UnservedPort(key=DB, gone=[left])).message == f"{START}old: gone since 19:44:40."
    found = problem(UnservedPort(key=DB, gone=[left, gone("far", "link1 to far is down"), left]))
    assert found.message == f"{START}far: link1 to far is down."


def test_sites_that_are_drained_of_it_are_named_with_the_command_that_ends_that() -> None:
    found = problem(UnservedPort(key=DB, elsewhere=["a"], drained=["hub"]))
    assert "a has targets, none of them ready; hub drains and takes nothing new of it" in (
        found.message
    )
    assert found.hint.startswith("At hub, see the command that ends the drain: sitectl status. ")
    found = problem(UnservedPort(key=DB, drained=["hub", "far"]))
    assert "hub, far drain and take nothing new of it" in found.message
    assert "bind" not in found.hint


def test_of_a_site_that_is_drained_of_it_the_next_step_ends_that() -> None:
    """Its targets are out of use for that alone, however many."""
    targets = [down("10.0.0.1", 3.0, "it was drained"), down("10.0.0.2", 7.0, "it was drained")]
    command = "sitectl site drain --to 100%"
    found = problem(
        UnservedPort(key=DB, targets=targets, gone=[gone("far", "no path")], take_all=command)
    )
    assert found.message == (
        f"{START}this site is drained of it and takes nothing new; far: no path."
    )
    assert found.hint == (
        f"To take all of it here: {command}. See the links: sitectl link status. At far: {STATUS}"
    )


def test_a_site_that_stops_and_sites_that_are_gone_are_named_beside_one_without_ready_targets() -> (
    None
):
    gone_far = gone("far", "link1 to far is down")
    found = problem(UnservedPort(key=DB, elsewhere=["a"], stopping=["hub"], gone=[gone_far]))
    assert found.message == (
        f"{START}a has targets, none of them ready; hub stops and takes nothing new; "
        "far: link1 to far is down."
    )
    assert found.hint == f"See the links: sitectl link status. At a, far: {STATUS}"
    found = problem(UnservedPort(key=DB, stopping=["hub", "far"]))
    assert (found.message, found.hint) == (f"{START}hub, far stop and take nothing new.", "")


def test_a_reached_site_that_offers_nothing_any_more_is_no_matter_of_links() -> None:
    left = msgspec.structs.replace(gone("far", "it has not offered it"), verdict="no-target")
    hint = problem(UnservedPort(key=DB, gone=[left])).hint
    assert hint == "At far: sitectl check", "`service status` there has no row to show why"


def test_where_no_site_has_a_target_one_is_to_be_bound() -> None:
    found = problem(UnservedPort(key=DB))
    assert found.message == f"{START}no such site has a target."
    assert found.hint == "Bind a target here: sitectl service bind db TYPE NAME"
    found = problem(UnservedPort(key=DB, owners=["far"]))
    assert found.hint.endswith(". Or at far, which owns the service")


def test_a_site_that_is_cut_off_is_shown_its_links_and_not_told_to_bind_a_target() -> None:
    """As after a restart, which forgets the sites that had targets."""
    found = problem(UnservedPort(key=DB, links_not_up=["hub"]))
    assert found.message == f"{START}no such site has a target, and link hub is not up."
    assert found.hint == "Sites beyond link hub may have targets: sitectl link status"
    found = problem(UnservedPort(key=DB, links_not_up=["hub", "far"]))
    assert found.message == f"{START}no such site has a target, and links hub, far are not up."
    assert found.hint == "Sites beyond links hub, far may have targets: sitectl link status"
    bound = problem(UnservedPort(key=DB, is_bound=True, links_not_up=["hub"]))
    assert "link hub" not in bound.message, "so the next step must name it"
    assert bound.hint.endswith(". Sites beyond link hub may have targets: sitectl link status")
    here = UnservedPort(key=DB, targets=[down("10.0.0.1", 3.0, "it refused")], links_not_up=["hub"])
    assert problem(here).hint == f"See why under ERROR: {STATUS}"


def test_a_rule_that_leaves_out_ready_targets_comes_first() -> None:
    let_in = "Let far in: sitectl service set db --import-from far"
    barred = UnservedPort(key=DB, left_out=LeftOut("importFrom of near leaves out far.", let_in))
    found = problem(barred)
    assert found.message.endswith("no such site has a target. importFrom of near leaves out far.")
    assert found.hint == let_in
    here = msgspec.structs.replace(barred, targets=[down("10.0.0.1", 3.0, "it refused")])
    assert problem(here).hint == f"{let_in}. See why under ERROR: {STATUS}"

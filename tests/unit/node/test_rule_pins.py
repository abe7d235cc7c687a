"""A name in a rule means the site that had it when it was resolved, even if it moves later."""

import time
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.model.errors import ConfigError
from router.model.ids import SiteId
from router.model.limits import RULE_NOTES_MAX
from router.model.rights.sharing import ALL, Party, Sharing, SharingRules, name_any
from router.node.services.rule_pins import RulePins, names_of, resolved
from router.process.state import PINS_FILE, FileKeeper
from router.routing.table import RouteTable
from tests.unit.journal import Journal
from tests.unit.node.test_bar_news import TABLE, route

ALPHA, BETA, LIAR = (SiteId(letter * 32) for letter in "abc")


def rules(*names: str, service: str = "shop") -> SharingRules:
    return SharingRules({service: Sharing(import_from=names)})


def table(**names: SiteId) -> RouteTable:
    """Sites by name; ``NAME_liar`` is a second one of that name."""
    shown = {site: name.removesuffix("_liar") for name, site in names.items()}
    twice = {name for name in shown.values() if list(shown.values()).count(name) > 1}
    sites = {
        site: route(site, f"{name}@{site[:8]}" if name in twice else name)
        for site, name in shown.items()
    }
    return msgspec.structs.replace(TABLE, sites=sites, name_conflicts=tuple(sorted(twice)))


def taken(found: SharingRules, service: str = "shop") -> tuple[str, ...] | None:
    return found.of(service).import_from


class Site:
    """The rules of one site over restarts of its router."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.journal = Journal()
        self.start()

    def start(self) -> None:
        keeper = FileKeeper(self.directory / "state.json")
        self.pins = RulePins(keeper, self.journal.tell, time.time)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_who_takes_the_name_afterwards_gets_nothing_and_the_owner_keeps_it(site: Site) -> None:
    given = rules("alpha")
    assert taken(site.pins.resolve(given, table(alpha=ALPHA))) == (ALPHA,)
    assert site.journal.told() == ["rule-pinned"]
    both = table(alpha=ALPHA, alpha_liar=LIAR)
    assert taken(site.pins.resolve(given, both)) == (ALPHA,)
    assert taken(site.pins.resolve(given, table(alpha=LIAR))) == (ALPHA,)
    site.start()
    assert taken(site.pins.resolve(given, table(alpha=LIAR))) == (ALPHA,)
    assert not site.journal.told()
    (note,) = site.pins.notes(table(alpha=LIAR), given)
    assert note.code == "SW0346" and "Site cccccccc calls itself alpha" in note.message


def test_a_name_that_two_bear_matches_nobody_until_one_alone_does(site: Site) -> None:
    given = rules("alpha", "beta")
    both = table(alpha=ALPHA, alpha_liar=LIAR, beta=BETA)
    assert taken(site.pins.resolve(given, both)) == (BETA,)
    assert site.pins.pending == {"alpha": ("shop",)}
    assert not site.pins.notes(both, given), "that is a problem"
    assert taken(site.pins.resolve(given, table(alpha=ALPHA, beta=BETA))) == (ALPHA, BETA)


def test_a_name_that_is_not_known_is_pending_and_shown_so(site: Site) -> None:
    given = SharingRules({ALL: Sharing(export_to=("alpha",), import_from=())})
    found = site.pins.resolve(given, table(beta=BETA))
    assert found.of("shop") == Sharing((), ())
    assert site.pins.sites_of(("alpha", "w*", ALL, BETA)) == {"alpha": ""}
    (note,) = site.pins.notes(TABLE, given)
    assert note.code == "SW0345" and "The rules of all services name alpha" in note.message
    many = rules(*(f"site-{n}" for n in range(50)))
    site.pins.resolve(many, TABLE)
    assert len(site.pins.notes(TABLE, many)) == RULE_NOTES_MAX


def test_patterns_and_ids_stay_and_a_name_with_an_id_is_that_site(site: Site) -> None:
    given = rules("a*", "b?ta", ALL, BETA, f"alpha@{ALPHA}", "beta@bbbbbbbb")
    found = site.pins.resolve(given, table(alpha=LIAR, beta=BETA))
    assert taken(found) == ("a*", "b?ta", ALL, BETA, ALPHA)
    assert site.pins.sites_of(given.of("shop").import_from) == {
        "alpha": ALPHA,
        "beta@bbbbbbbb": BETA,
    }


def test_a_name_that_no_rule_has_is_forgotten(site: Site) -> None:
    site.pins.resolve(rules("alpha"), table(alpha=ALPHA))
    site.pins.resolve(SharingRules(), table(alpha=ALPHA))
    assert taken(site.pins.resolve(rules("alpha"), table(alpha=LIAR))) == (LIAR,)


def test_a_process_that_follows_decides_nothing(site: Site) -> None:
    worker = site.directory / "worker"
    worker.mkdir()
    keeper = FileKeeper(worker / "state.json", shared=site.directory)
    pins = RulePins(keeper, site.journal.tell, time.time)
    assert taken(pins.resolve(rules("alpha"), table(alpha=LIAR))) == ()
    site.pins.resolve(rules("alpha"), table(alpha=ALPHA))
    assert taken(pins.resolve(rules("alpha"), table(alpha=LIAR))) == (ALPHA,)
    assert not (worker / PINS_FILE).exists()


def test_a_damaged_file_is_named_with_what_follows_from_its_loss(site: Site) -> None:
    (site.directory / PINS_FILE).write_text("[1]")
    with pytest.raises(ConfigError, match="is not a state file of ours"):
        site.start()


NAMES = st.sampled_from(["alpha", "beta", "gamma", "a*", ALPHA, f"alpha@{ALPHA}"])
SITES = st.dictionaries(
    st.sampled_from(["alpha", "alpha_liar", "beta"]), st.sampled_from([ALPHA, BETA, LIAR])
)


@given(history=st.lists(st.tuples(st.lists(NAMES, max_size=3), SITES), max_size=8))
def test_what_was_meant_once_is_meant_as_long_as_the_rule_has_the_name(
    history: list[tuple[list[str], dict[str, SiteId]]],
) -> None:
    pins: dict[str, SiteId] = {}
    for names, sites in history:
        before = {name: site for name, site in pins.items() if name in names}
        found = resolved(rules(*names), pins, names_of(table(**sites)))
        pins = dict(found.pins)
        assert pins.items() >= before.items()
        plain = {name for name in names if name in ("alpha", "beta", "gamma")}
        assert pins.keys() | found.pending.keys() == plain
        others = tuple(name for name in names if name not in plain)
        for name in ("alpha", "beta"):
            liar = Party(LIAR, name)
            expected = LIAR in pins.values() or name_any(others, liar)
            assert name_any(taken(found.rules), liar) == expected

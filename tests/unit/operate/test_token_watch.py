import asyncio
import json
import os
from pathlib import Path

import msgspec
import pytest

from certs.ca.authority import Authority
from certs.certificates import fingerprints
from certs.errors import CertError
from certs.joining.claims import Grant, Redemption
from router.admin.client_identity import user
from router.admin.events import EventLog
from router.model import limits
from router.model.events import Event
from router.operate.record.journal import Journal
from router.operate.record.token_watch import TokenWatch, state_of

NOW = 1_700_000_000
SECRET = "SECRET-MARKER"


def grant(name: str = "t", uses_left: int = 1, **more: object) -> Grant:
    made = Grant(
        name=name,
        salt=SECRET,
        digest=SECRET,
        checksum=SECRET,
        expires_at=NOW + 100,
        uses_left=uses_left,
        made_at=NOW,
    )
    return msgspec.structs.replace(made, **more)


def use(number: int) -> Redemption:
    return Redemption(
        key=SECRET, site_id=f"{number:032x}", site_name=f"s{number}", serial=SECRET, chain=SECRET
    )


def test_a_token_of_another_ca_is_of_the_old_one_while_it_is_open(tmp_path: Path) -> None:
    old, new = (Authority.create(tmp_path / n, "a" * 32, NOW).ca_pem for n in ("old", "new"))
    made = grant(cas=fingerprints(old))
    both = grant(cas=fingerprints(new + old), made_at=NOW - 9)
    assert (state_of(made, NOW, old), state_of(made, NOW, new)) == ("open", "old-ca")
    assert state_of(both, NOW, new) == "open", "made while both counted"
    assert state_of(made, NOW + 100, new) == "expired"
    assert state_of(grant(uses_left=0, cas=fingerprints(old)), NOW, new) == "used"


def test_of_a_token_that_names_no_ca_its_time_decides(tmp_path: Path) -> None:
    ca_pem = Authority.create(tmp_path, "a" * 32, NOW).ca_pem
    assert state_of(grant(), NOW, ca_pem) == "open", "of the same second"
    assert state_of(grant(made_at=NOW - 1), NOW, ca_pem) == "old-ca"
    assert state_of(grant(made_at=0), NOW, ca_pem) == "open", "not known"


class Watched:
    def __init__(self, *grants: Grant, directory: Path | None = None) -> None:
        self.grants, self.now, self.written = list(grants), float(NOW), list[Event]()
        journal = Journal(
            EventLog(),
            lambda _, event: self.written.append(event),
            lambda: "2026-01-01T00:00:00.000Z",
            lambda: 0.0,
        )
        self.watch = TokenWatch(self.granted, self.grant, directory, journal, lambda: self.now)
        self.look()

    def granted(self) -> list[Grant]:
        return list(self.grants)

    def grant(self, name: str) -> Grant | None:
        return next((one for one in self.grants if one.name == name), None)

    def look(self) -> list[str]:
        asyncio.run(self.watch.look())
        return self.told()

    def told(self) -> list[str]:
        codes, self.written = [event.code for event in self.written], []
        return codes


def test_tokens_of_before_the_start_are_no_news() -> None:
    watched = Watched(grant("old"))

    assert watched.written == []
    assert [view.name for view in watched.watch.views()] == ["old"]


def test_a_token_is_told_when_it_is_made_used_and_expired() -> None:
    watched = Watched()
    watched.grants = [grant("a"), grant("b")]
    assert watched.look() == ["token-made", "token-made"]
    watched.grants = [grant("a", 0, redeemed=(use(1),)), grant("b")]
    assert watched.look() == ["token-used"]
    watched.now += 100
    assert watched.look() == ["token-expired"]
    assert watched.look() == []


def test_that_it_was_made_is_told_before_its_use_which_no_look_had_foreseen() -> None:
    watched = Watched(grant("old"))
    watched.grants = [grant("a", 0, redeemed=(use(1),)), grant("b", 1, redeemed=(use(2),))]
    watched.watch.judged("a")
    assert watched.told() == ["token-made"]
    watched.watch.judged("a")
    watched.watch.judged("nobody-made-this")
    watched.watch.judged("old")
    assert watched.told() == []
    assert watched.look() == ["token-used", "token-made", "token-revoked"]
    assert watched.look() == []


def test_that_it_was_revoked_is_told_before_the_claim_that_is_refused_for_it() -> None:
    watched = Watched(grant("a"))
    watched.grants = [grant("a", revoked=True), grant("b", revoked=True)]
    watched.watch.judged("a")
    assert watched.told() == ["token-revoked"]
    watched.watch.judged("b")
    assert watched.told() == ["token-made", "token-revoked"]
    watched.watch.judged("b")
    assert watched.told() == []
    found, watched.grants = watched.grants, [grant("a"), grant("b")]
    assert watched.look() == [], "it began before they were revoked"
    watched.grants = found
    assert watched.look() == []


def test_a_look_that_began_before_a_token_was_made_ends_nothing_of_it() -> None:
    watched = Watched()
    watched.grants = [grant("a", 1, redeemed=(use(1),))]
    watched.watch.judged("a")
    found, watched.grants = watched.grants, []
    assert watched.look() == ["token-made"]
    watched.grants = found
    assert watched.look() == []


def test_one_that_is_swept_away_after_its_end_expired() -> None:
    watched = Watched(grant("a"))
    watched.now += 100
    watched.grants = []

    assert watched.look() == ["token-expired"]


def test_one_that_is_revoked_or_deleted_in_its_time_is_told_so() -> None:
    watched = Watched(grant("a"), grant("b"))
    watched.grants = [grant("a", revoked=True)]

    assert watched.look() == ["token-revoked", "token-revoked"]


def test_a_damaged_one_changes_nothing() -> None:
    watched = Watched(grant("a"))

    def damaged() -> list[Grant]:
        raise CertError("b", "is damaged")

    watched.watch._granted = damaged
    assert watched.look() == []
    assert len(watched.watch.views()) == 1


@pytest.mark.parametrize(
    ("fields", "state"),
    [
        ({}, "open"),
        ({"uses_left": 0}, "used"),
        ({"revoked": True, "uses_left": 0}, "revoked"),
        ({"expires_at": NOW}, "expired"),
        ({"expires_at": NOW, "uses_left": 0}, "used"),
    ],
)
def test_what_a_token_is_good_for(fields: dict[str, object], state: str) -> None:
    assert state_of(grant(**fields), NOW) == state  # type: ignore[arg-type]


def test_views_and_events_hold_no_secret() -> None:
    watched = Watched()
    watched.grants = [grant("a", redeemed=(use(1), use(2)))]
    asyncio.run(watched.watch.look())

    text = msgspec.json.encode([watched.watch.views(), watched.written]).decode()
    assert SECRET not in text
    (view,) = watched.watch.views()
    assert (view.uses, view.uses_left) == (3, 1)
    assert [claim.site for claim in view.claimed] == ["s1", "s2"]


def test_as_many_claims_are_shown_as_may_be_and_of_more_the_newest() -> None:
    most = limits.TOKEN_CLAIMS_SHOWN_MAX
    watched = Watched(
        grant("a", redeemed=tuple(map(use, range(most)))),
        grant("b", redeemed=tuple(map(use, range(most + 1)))),
    )

    fits, longer = watched.watch.views()
    assert [claim.site for claim in fits.claimed] == [f"s{n}" for n in range(most)]
    assert [claim.site for claim in longer.claimed] == [f"s{n}" for n in range(1, most + 1)]


def test_a_directory_is_read_again_only_when_something_in_it_changed(tmp_path: Path) -> None:
    reads = 0

    def granted() -> list[Grant]:
        nonlocal reads
        reads += 1
        return [grant("a")]

    journal = Journal(EventLog(), lambda *_: None, lambda: "", lambda: 0.0)
    watch = TokenWatch(granted, lambda name: None, tmp_path, journal, lambda: NOW)
    asyncio.run(watch.look())
    asyncio.run(watch.look())
    assert reads == 1
    (tmp_path / "a.json").write_text(json.dumps({}))
    asyncio.run(watch.look())
    assert reads == 2


def test_the_owner_of_a_tokens_file_is_not_said_to_have_made_it(tmp_path: Path) -> None:
    """Root makes tokens for a router that runs as another user, and gives it the files."""
    grants, written = [grant("a")], list[Event]()
    journal = Journal(EventLog(), lambda _, event: written.append(event), str, lambda: 0.0)
    watch = TokenWatch(lambda: tuple(grants), lambda name: None, tmp_path, journal, lambda: NOW)
    asyncio.run(watch.look())
    (tmp_path / "b.json").write_text("{}")
    grants.append(grant("b"))
    asyncio.run(watch.look())
    (made,) = written
    assert made.code == "token-made"
    assert made.by == f"{user(os.geteuid())}, owner of {tmp_path.name}/b.json"


@pytest.mark.parametrize("beyond", [0, 1])
def test_as_many_tokens_are_shown_as_may_be(beyond: int) -> None:
    most = limits.TOKENS_SHOWN_MAX
    watched = Watched(*(grant(f"t{n}", made_at=NOW + n) for n in range(most + beyond)))

    views = watched.watch.views()
    assert len(views) == most
    assert views[0].name == f"t{most + beyond - 1}", "the newest first"

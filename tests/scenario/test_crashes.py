"""A host that loses its power in the middle of a command: typed again, the command finishes."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from certs.identity import SiteIdentity
from sitectl.base.failure import Exit
from tests.scenario.crashing import Crasher, left_over, too_open
from tests.scenario.harness import Network

LONG_AGO = 1_000_000_000  # When a file was written that no command works at any more.


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Path]:
    """A directory with a site that others link to, and its token ``t.yaml``."""
    place = tmp_path / "other"
    place.mkdir()
    with Network(place) as net:
        site = net.site("west")
        site.quick("token", "create", str(place / "t.yaml"), "--expiry", "1h")
        yield place


class Trial:
    """One command, killed before each of its changes in turn, each time from the same beginning."""

    def __init__(self, tmp_path: Path) -> None:
        self.state = tmp_path / "state"
        self.sites = self.state  # Where sites are.
        self.kept = tmp_path / "kept"
        self.state.mkdir()

    def site(self, name: str = "east") -> Path:
        """Its directory."""
        return self.sites / name

    def run(self, words: tuple[str, ...], check: Callable[[Crasher], None]) -> None:
        """Kill ``words`` before each change, type it again, and ``check`` what there is then."""
        shutil.copytree(self.state, self.kept)
        crashes = 0
        with Crasher(self.state) as run:
            while (ended := run(*self.flags, *words, dies_before=crashes + 1)).killed:
                crashes += 1
                self._finish(run, words, check, f"killed before {crashes}, {ended.changes[-1]}")
                shutil.rmtree(self.state)
                shutil.copytree(self.kept, self.state)
        assert ended.code == 0, ended
        assert crashes > 2, "nothing was ever killed"

    @property
    def flags(self) -> tuple[str, ...]:
        """Of every command."""
        return ("--platform", "process", "--state", str(self.state))

    @property
    def status(self) -> tuple[str, ...]:
        """The words that show the site."""
        place = ("--platform", "process", "--state", str(self.sites), "--site", "east")
        return (*place, "status", "-o", "json")

    def _finish(
        self, run: Crasher, words: tuple[str, ...], check: Callable[[Crasher], None], where: str
    ) -> None:
        secrets = self.site() / "secrets"
        assert too_open(secrets) == [], where
        status = run(*self.status)
        half_made = status.code == 1 and "init --name east, which finishes it" in status.text
        half_made = half_made or " init east, which finishes it" in status.text
        assert status.code in (Exit.DEGRADED, Exit.NOT_FOUND) or half_made, (where, status)
        before = identity(secrets)
        for path in left_over(self.state):
            os.utime(path, (LONG_AGO, LONG_AGO))
        again = run(*self.flags, *words)
        assert again.code == 0, (where, again)
        assert left_over(self.state) == [], where
        assert before in ("", identity(secrets)), where
        assert too_open(secrets) == [], where
        status = run(*self.status)
        assert status.code == Exit.DEGRADED, (where, status)
        check(run)


def identity(secrets: Path) -> str:
    """The site's id; empty: it has none yet."""
    return SiteIdentity.load(secrets).site_id if (secrets / "identity.key").exists() else ""


@pytest.fixture
def trial(tmp_path: Path) -> Trial:
    """Nothing there yet."""
    return Trial(tmp_path)


@pytest.fixture
def east(trial: Trial) -> Trial:
    """A site ``east``."""
    with Crasher(trial.state) as run:
        assert run(*trial.flags, "init", "east").code == 0
    return trial


def test_init(trial: Trial) -> None:
    def whole(run: Crasher) -> None:
        site = trial.site()
        assert {"identity.key", "ca.key", "ca.crt"} <= {
            p.name for p in (site / "secrets").iterdir()
        }
        assert [path.name for path in (site / "config").glob("*.yaml")] == ["site-east.yaml"]

    trial.run(("init", "east"), whole)


def test_link_create(east: Trial, other: Path) -> None:
    def linked(run: Crasher) -> None:
        site = east.site()
        assert [path.name for path in (site / "config").glob("link-*")] == ["link-link1.yaml"]
        assert [path.name for path in (site / "secrets" / "links").iterdir()] == ["link1"]

    east.run(("link", "create", str(other / "t.yaml")), linked)


@pytest.mark.parametrize("kind", ["claim", "cert"])
def test_token_create_with_a_name_of_its_own(east: Trial, kind: str) -> None:
    token = east.state / "token.yaml"

    def granted(run: Crasher) -> None:
        assert token.stat().st_mode & 0o777 == 0o600
        told = run(*east.flags, "token", "status", str(token), "-o", "json")
        assert json.loads(told.text)["item"]["state"] in ("pending", "valid"), told

    words = ("token", "create", str(token), "--name", "mine", "--token-type", kind)
    east.run(words, granted)


def test_run_init_with_a_token_and_a_listener(trial: Trial, other: Path) -> None:
    def made(run: Crasher) -> None:
        config = {path.name for path in (trial.site() / "config").iterdir()}
        assert config == {"site-east.yaml", "listener-shop.yaml", "link-site.yaml"}

    token = str(other / "t.yaml")
    listens = ("--listen", "shop=127.0.0.1:20080")
    trial.run(("--site", "east", "run", "--init", "--token", token, *listens), made)


def test_gateway_init(trial: Trial, other: Path) -> None:
    trial.sites = trial.state / "gateways.d"

    def made(run: Crasher) -> None:
        config = {path.name for path in (trial.site() / "config").iterdir()}
        assert config == {"site-east.yaml", "link-site.yaml"}
        assert (trial.site() / "runtime.yaml").exists()

    words = ("gateway", "init", "--name", "east", "--type", "process")
    trial.run((*words, "--token", str(other / "t.yaml")), made)


def test_gateway_init_at_a_site_of_this_host_grants_no_claim_twice(trial: Trial) -> None:
    with Crasher(trial.state) as run:
        assert run(*trial.flags, "init", "west", "--ingress-host", "127.0.0.1").code == 0
    trial.sites = trial.state / "gateways.d"

    def made(run: Crasher) -> None:
        grants = (trial.state / "west" / "secrets" / "grants").glob("*.json")
        kept = [json.loads(path.read_text()) for path in grants]
        assert [grant["revoked"] for grant in kept].count(False) == 1

    trial.run(("--site", "west", "gateway", "init", "--name", "east", "--type", "process"), made)

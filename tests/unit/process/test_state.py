"""What a router keeps over a restart."""

import os
import stat
import time
from pathlib import Path

import pytest

from router.documents import in_force
from router.documents.in_force import InForce
from router.model.errors import ConfigError
from router.model.ids import SiteId
from router.model.messages.adverts import Declaration
from router.model.persisted import HeldListener
from router.model.rights.owners import Owner
from router.model.specs import Document, ServiceSpec
from router.node.services.learned_services import LearntServices
from router.node.services.ports import KnownDeclaration
from router.process import state
from router.process.state import FileKeeper

SHOP = Declaration(
    name="shop",
    spec=ServiceSpec(ports=(5432,)),
    declared_at_s=0.0,
)


def test_the_router_id_stays_and_the_epoch_grows_at_each_start(tmp_path: Path) -> None:
    first = FileKeeper(tmp_path / "state.json")
    epochs = [first.next_epoch()]
    for _ in range(3):
        again = FileKeeper(tmp_path / "state.json")
        assert again.router_id == first.router_id
        epochs.append(again.next_epoch())
    assert epochs == sorted(set(epochs))
    assert epochs[0] >= int(time.time()) - 1


def test_an_epoch_raised_by_the_network_is_kept_before_the_next_start(tmp_path: Path) -> None:
    keeper = FileKeeper(tmp_path / "state.json")
    keeper.keep_epoch(9_999_999_999)
    assert FileKeeper(tmp_path / "state.json").next_epoch() == 10_000_000_000


def test_a_life_grows_at_each_start_and_is_not_raised_by_the_network(tmp_path: Path) -> None:
    """It is compared with the times of Pods, and an epoch may be that of a clock ahead."""
    lives: list[int] = []
    for _ in range(3):
        keeper = FileKeeper(tmp_path / "state.json")
        lives.append(keeper.next_life())
        keeper.keep_epoch(9_999_999_999)
    assert lives == sorted(set(lives))
    assert lives[-1] <= time.time() + len(lives)


def test_a_service_keeps_the_time_of_its_first_declaration(tmp_path: Path) -> None:
    first = FileKeeper(tmp_path / "state.json").declared_at("shop")
    keeper = FileKeeper(tmp_path / "state.json")
    assert keeper.declared_at("shop") == first
    keeper.keep_declared(frozenset())
    assert keeper.declared_at("shop") > first


def test_a_thousand_services_are_one_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writes: list[Path] = []
    monkeypatch.setattr(state, "write_secret", lambda path, content: writes.append(path))
    keeper = FileKeeper(tmp_path / "state.json")
    before = len(writes)
    names = frozenset(f"service-{number}" for number in range(1_000))
    keeper.keep_declared(names)
    keeper.keep_declared(names)
    assert len({keeper.declared_at(name) for name in names}) == 1
    assert len(writes) == before + 1


def test_the_state_is_its_owners_alone_and_never_half_written(tmp_path: Path) -> None:
    FileKeeper(tmp_path / "state.json").next_epoch()
    assert [path.name for path in tmp_path.iterdir()] == ["state.json"]
    assert stat.S_IMODE((tmp_path / "state.json").stat().st_mode) == 0o600


@pytest.mark.parametrize("damaged", [b'{"router_id": 7}', b'{"router_id":"\xff"}', b"\xff"])
def test_a_damaged_state_is_named_with_the_next_step(tmp_path: Path, damaged: bytes) -> None:
    (tmp_path / "state.json").write_bytes(damaged)
    with pytest.raises(ConfigError, match=r"state\.json.*rm "):
        FileKeeper(tmp_path / "state.json")


@pytest.mark.parametrize("name", ["state.json", "owners.json"])
def test_a_pipe_or_a_device_in_the_place_of_a_state_file_is_named_and_not_read(
    tmp_path: Path, name: str
) -> None:
    FileKeeper(tmp_path / "state.json")
    path = tmp_path / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    with pytest.raises(ConfigError, match=rf"{name}.*is no regular file"):
        FileKeeper(tmp_path / "state.json")
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(ConfigError, match=name):
        FileKeeper(tmp_path / "state.json")


def test_what_was_learnt_counts_for_the_rest_of_its_time(tmp_path: Path) -> None:
    keeper = FileKeeper(tmp_path / "state.json")
    keeper.keep_learnt((KnownDeclaration(SHOP, lost_for_s=100.0),))
    learnt = LearntServices(FileKeeper(tmp_path / "state.json"), ttl_s=180.0, now=1000.0)
    assert learnt.declarations() == {"shop": SHOP}
    assert not learnt.forget_old(1070.0)
    assert learnt.forget_old(1080.0)
    assert learnt.declarations() == {}
    assert not learnt.forget_old(1080.0)


def test_only_what_is_used_here_is_kept_of_what_others_declare(tmp_path: Path) -> None:
    keeper = FileKeeper(tmp_path / "state.json")
    keeper.keep_learnt((KnownDeclaration(SHOP),))
    learnt = LearntServices(keeper, ttl_s=180.0, now=1000.0)
    learnt.keep(1001.0, {"shop"})
    assert [one.declaration for one in keeper.learnt()] == [SHOP]
    learnt.keep(1002.0, set())
    assert keeper.learnt() == ()
    assert learnt.declarations() == {"shop": SHOP}, "it counts as long as this process lives"
    learnt.keep(1003.0, {"shop"})
    assert [one.declaration for one in keeper.learnt()] == [SHOP]


def test_what_was_learnt_counts_no_more_when_the_clock_was_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keeper = FileKeeper(tmp_path / "state.json")
    keeper.keep_learnt((KnownDeclaration(SHOP),))
    assert [one.declaration for one in keeper.learnt()] == [SHOP]
    monkeypatch.setattr("router.process.state.time.time", lambda: 1.0)
    assert keeper.learnt() == ()


def test_owners_that_were_kept_without_versions_are_read(tmp_path: Path) -> None:
    (tmp_path / "owners.json").write_text('{"shop": [["a"], "0123456789abcdef"]}')
    kept = FileKeeper(tmp_path / "state.json").owners()
    assert kept == {"shop": Owner((SiteId("a"),), "0123456789abcdef")}
    (tmp_path / "owners.json").write_text(
        '{"shop": [["a", "b"], "0123456789abcdef", [], [[1, 2]]]}'
    )
    with pytest.raises(ConfigError, match="one version for each site"):
        FileKeeper(tmp_path / "state.json")


def test_owners_of_names_outlive_it_in_a_file_that_the_last_release_does_not_read(
    tmp_path: Path,
) -> None:
    owners = {
        "shop": Owner((SiteId("a"), SiteId("b")), "0123456789abcdef"),
        "mail": Owner((SiteId("a"),), "0123456789abcdef", versions=((1_763_790_000, 12),)),
    }
    FileKeeper(tmp_path / "state.json").keep_owners(owners)
    assert FileKeeper(tmp_path / "state.json").owners() == owners
    assert stat.S_IMODE((tmp_path / "owners.json").stat().st_mode) == 0o600
    assert "shop" not in (tmp_path / "state.json").read_text()
    (tmp_path / "owners.json").write_text("{")
    with pytest.raises(ConfigError, match=r"owners\.json") as raised:
        FileKeeper(tmp_path / "state.json")
    assert "rm" in raised.value.hint


def test_ports_of_services_outlive_it_and_other_processes_of_the_router_only_read_them(
    tmp_path: Path,
) -> None:
    held = (HeldListener("shop", 8_080, SiteId("a")), HeldListener("pay", 81, SiteId("b")))
    FileKeeper(tmp_path / "state.json").keep_listeners(held)
    assert FileKeeper(tmp_path / "state.json").listeners() == held
    assert "shop" not in (tmp_path / "state.json").read_text()
    (tmp_path / "worker").mkdir()
    worker = FileKeeper(tmp_path / "worker" / "state.json", shared=tmp_path)
    worker.keep_listeners(())
    assert worker.listeners() == held
    assert FileKeeper(tmp_path / "state.json").listeners() == held


def test_what_counts_in_place_of_wrong_documents_has_a_file_only_while_there_is_something(
    tmp_path: Path,
) -> None:
    path = tmp_path / in_force.FILE
    kept = {
        "shop.yaml": InForce("digest", (Document("Service", "shop", ServiceSpec(ports=(80,))),))
    }
    FileKeeper(tmp_path / "state.json").keep_in_force({})
    assert not path.exists()
    FileKeeper(tmp_path / "state.json").keep_in_force(kept)
    assert in_force.decode(path.read_bytes()) == kept
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    (tmp_path / "worker").mkdir()
    FileKeeper(tmp_path / "worker" / "state.json", shared=tmp_path).keep_in_force({})
    assert path.exists(), "the first process of a router writes for all"
    path.write_text("{")
    keeper = FileKeeper(tmp_path / "state.json")
    keeper.keep_in_force({})
    assert not path.exists(), "the store has reported the damage"

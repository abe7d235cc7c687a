"""The last release and this one read what the other writes: golden bytes, and any bytes."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from router.link import control
from router.routing.adverts.lsa import encode_lsa
from tests import releases
from tests.examples import examples
from tests.property.test_control import MESSAGES, OPENS
from tests.property.test_lsa_codec import LSAS
from tests.releases import speaking

ROOT = Path(__file__).resolve().parents[2]
GOLDEN: list[list[Any]] = json.loads(releases.GOLDEN.read_text())
EXAMPLES = examples(150)
STEADY = ("control", "open", "frames")
"""Kinds whose bytes are the same each time; the others hold keys, signatures or chance."""


DEFAULTS = {"connections_per_source": (512, 0), "connect_s": (1.0, 1.5)}
"""Defaults of the last release and of this one, where they differ: each goes by its own."""


def holds(old: Any, new: Any) -> bool:
    """Whether ``new`` says all that ``old`` does. Structs and arrays may have grown."""
    if isinstance(old, dict) and isinstance(new, dict):
        return all(
            key in new and (holds(value, new[key]) or DEFAULTS.get(key) == (value, new[key]))
            for key, value in old.items()
        )
    if isinstance(old, list) and isinstance(new, list):
        return len(old) == len(new) and all(map(holds, old, new))
    return bool(old == new)


@pytest.mark.parametrize("sample", GOLDEN, ids=lambda sample: f"{sample[0]}: {sample[1]}")
def test_what_the_last_release_wrote_reads_as_it_was_meant(sample: list[Any]) -> None:
    kind, _, data, facts = sample
    assert "error" not in facts
    read = json.loads(json.dumps(speaking.read(kind, bytes.fromhex(data))))
    assert holds(facts, read), (facts, read)


def test_the_golden_bytes_are_those_of_the_wheel() -> None:
    written = releases.written_by(releases.previous())
    assert [sample[:2] for sample in written] == [sample[:2] for sample in GOLDEN]
    # A HELLO bears a key that is made each time.
    steady = [s for s in written if s[0] in STEADY and not s[1].startswith("hello")]
    assert all(sample in GOLDEN for sample in steady)
    assert len(steady) > 25


def test_the_last_release_reads_what_we_write_as_we_mean_it() -> None:
    ours = releases.written_by(ROOT)
    theirs = releases.read_by(releases.previous(), [(s[0], bytes.fromhex(s[2])) for s in ours])
    for (kind, name, _, facts), read in zip(ours, theirs, strict=True):
        assert "error" not in read, (kind, name, read)
        assert holds(read, facts), (kind, name, read, facts)


@cache
def known_messages() -> frozenset[str]:
    """Names of the control messages that the last release knows: others it is not sent."""
    return frozenset(
        str(type(control.decode(memoryview(bytes.fromhex(data)))).__name__)
        for kind, _, data, _ in GOLDEN
        if kind == "control"
    )


def test_any_message_open_and_lsa_of_ours_reads_the_same_there() -> None:
    samples: list[tuple[str, bytes]] = []
    meant: list[Any] = []
    west = speaking.Speaker("west", speaking.WEST)

    @given(MESSAGES.filter(lambda one: type(one).__name__ in known_messages()), OPENS, LSAS)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def gather(message: control.Message, request: Any, lsa: Any) -> None:
        bare = msgspec.structs.replace(
            lsa, site=west.site, router=west.router, public_key=west.public_key
        )
        for kind, data in (
            ("control", control.encode(message)),
            ("open", control.encode_open(request)),
            ("lsa", encode_lsa(bare, west)),
        ):
            samples.append((kind, data))
            meant.append(speaking.read(kind, data))

    gather()
    read = releases.read_by(releases.previous(), samples)
    assert len(read) >= 3 * EXAMPLES // 2
    for sample, there, here in zip(samples, read, meant, strict=True):
        assert holds(there, json.loads(json.dumps(here))), (sample, there, here)


@given(st.sampled_from(GOLDEN), st.data())
def test_a_changed_field_is_noticed(sample: list[Any], data: st.DataObject) -> None:
    facts = sample[3]
    fields = [key for key, value in facts.items() if value] if isinstance(facts, dict) else []
    if fields:
        field = data.draw(st.sampled_from(fields))
        assert not holds(facts, {**facts, field: "another"})
        assert not holds(facts, {key: value for key, value in facts.items() if key != field})

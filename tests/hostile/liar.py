"""A member that says of itself whatever a test wants: each field of its LSA, its load, its part."""

import random
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.hostile import wire
from tests.hostile.egress import RogueEgress
from tests.hostile.wire import Frame

LONG_AGO, FAR_AHEAD = -1e308, 1e308
COUNTER_MAX = 2**53 - 1
MIXED_MAX = 6
"""Fields that one mixture changes."""

Change = Mapping[str, Any]
"""Fields of `Words` and their replacements."""


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """All that its LSA says, as docs/design/link-protocol.md has it; None: the truth."""

    services: Sequence[tuple[Sequence[object], Sequence[object]]]
    """Declarations and adverts of each further part."""
    adjacencies: Sequence[Sequence[object]]
    draining: bool = False
    stub: bool = False
    name: str = "mallory"
    version: str = "rogue"
    restored: int = 0
    terms: Sequence[object] = ()
    bars: Sequence[object] = ()
    refs: Sequence[Sequence[int]] | None = None
    site: str | None = None
    router: str | None = None
    public_key: bytes | None = None
    first_part: int = 1
    epoch_step: int = 1
    sequence: int = 1
    boot_epoch: int = 1
    nonce: bytes = b"rogue123"
    loads: Sequence[object] = ()
    """Reports that follow."""


class Liar(RogueEgress):
    """It serves what reaches it, so whatever reaches it counts as diverted."""

    def __init__(self, token_file: Path, former: "Liar | None" = None) -> None:
        self._epoch: int = 1 if former is None else former._epoch
        super().__init__(token_file, "serves", former=former)
        if former is not None:
            self.opened = former.opened

    def tell(self, words: Words) -> None:
        """Send all of ``words``, in place of the words before."""
        self._epoch = min(self._epoch + words.epoch_step, COUNTER_MAX)
        numbers = range(words.first_part, words.first_part + len(words.services))
        refs = words.refs
        if refs is None:
            refs = [[number, words.sequence] for number in numbers]
        topology: list[object] = [
            *("topology", words.adjacencies, words.draining, words.stub, words.name),
            *(words.version, refs, words.restored, words.terms, words.bars),
        ]
        parts = zip(numbers, words.services, strict=True)
        frames = [self._signed(n, ["services", *body], words) for n, body in parts]
        frames.append(self._signed(0, topology, words))
        if words.loads:
            frames.append(wire.control("load", words.loads))
        self.send(*frames)

    def _signed(self, part: int, body: Sequence[object], words: Words) -> Frame:
        payload = msgspec.msgpack.encode(
            [
                self.router if words.router is None else words.router,
                self.site if words.site is None else words.site,
                *(part, self._epoch, words.sequence, words.boot_epoch, words.nonce),
                self.public_key if words.public_key is None else words.public_key,
                body,
            ]
        )
        return wire.control("lsa", msgspec.msgpack.encode([payload, self._sign(payload)]))

    @property
    def door(self) -> tuple[str, str]:
        """Router and site at the other end of its link."""
        return self._neighbour


class Victim(msgspec.Struct, frozen=True):
    """The owner of a service, and the service."""

    site: str
    router: str
    name: str
    service: str
    port: int


class Lies:
    """What a member may say to get hold of a service, field by field."""

    def __init__(self, liar: Liar, victim: Victim) -> None:
        self._liar, self._victim = liar, victim
        router, site = liar.door
        self.plain = Words(services=[self._body()], adjacencies=[[router, site, 1]])
        """A declaration by the liar, grants for itself and a thousand targets, at cost 1."""
        self.fields = {**self._declared(), **self._offered(), **self._placed(), **self._signed()}

    def each(self) -> Iterator[tuple[str, Words]]:
        """Every value of every field, all others plain."""
        for field, changes in self.fields.items():
            for change in changes:
                yield field, msgspec.structs.replace(self.plain, **change)

    def mixed(self, rng: random.Random) -> Words:
        """Several fields at once."""
        chosen = rng.sample(sorted(self.fields), rng.randint(2, MIXED_MAX))
        words = self.plain
        for field in chosen:
            words = msgspec.structs.replace(words, **rng.choice(self.fields[field]))
        return words

    def _declaration(self, **changes: object) -> dict[str, object]:
        everything = [self._liar.site, ["offer", "call", "redeclare", "own"]]
        return {
            "name": self._victim.service,
            "spec": {"protocol": "http", "ports": [self._victim.port], "queue": 7},
            "declared_at_s": 0.0,
            "grants": [everything],
            **changes,
        }

    def _advert(self, **changes: object) -> dict[str, object]:
        return {
            "name": self._victim.service,
            "port": self._victim.port,
            "targets_ready": 1_000,
            "capacity": 1_000,
            **changes,
        }

    def _body(
        self, declared: Change | None = None, offered: Change | None = None
    ) -> tuple[list[object], list[object]]:
        return [self._declaration(**declared or {})], [self._advert(**offered or {})]

    def _declared(self) -> dict[str, list[Change]]:
        victim, liar = self._victim, self._liar
        ports = [[victim.port + 7], [victim.port, victim.port + 7], [1], [65_535], []]
        specs = [
            *({"protocol": "http", "ports": several} for several in ports),
            *({"protocol": p, "ports": [victim.port]} for p in ("tcp", "http2", "udp")),
            *({"ports": [victim.port], "queue": n, "queue_wait_s": 0} for n in (0, 1, -1)),
            {"ports": [victim.port], "tls_cert": "theirs"},
        ]
        verbs = ["offer", "call", "redeclare", "own"]
        grants: list[object] = [
            [],
            [[liar.site, ["own"]]],
            [[liar.site, ["offer"], 1_000, COUNTER_MAX]],
            [[liar.site, ["offer"], 1_000, 1]],
            [[victim.site, ["own"]], [liar.site, ["own"]]],
            [[victim.site, verbs, 0]],
            [[victim.site, ["offer"], 0], [liar.door[1], ["offer"], 0]],
            [["*", verbs]],
            [[liar.site, ["fly"] * 9]],
            [[liar.site, verbs]] * 65,
        ]
        dates = (LONG_AGO, -1.0, 1.0, FAR_AHEAD, float("inf"), float("nan"))
        receivers: tuple[list[str] | None, ...] = (
            None,
            [],
            ["*"],
            [victim.name],
            [victim.site],
            ["?" * 253],
        )
        return {
            "spec": [{"services": [self._body({"spec": spec})]} for spec in specs],
            "date": [{"services": [self._body({"declared_at_s": at})]} for at in dates],
            "grants": [{"services": [self._body({"grants": given})]} for given in grants],
            "declared for": [
                {"services": [self._body({"export_to": sites})]} for sites in receivers
            ],
            "declared name": [
                {"services": [self._body({"name": name})]} for name in ("*", "other", "SHOP", "")
            ],
            "no declaration": [{"services": [([], [self._advert()])]}],
        }

    def _offered(self) -> dict[str, list[Change]]:
        victim = self._victim
        offered: dict[str, list[Change]] = {
            "targets": [{"targets_ready": n} for n in (0, 1, COUNTER_MAX, -1)],
            "capacity": [{"capacity": n} for n in (None, 0, 1, COUNTER_MAX, -1)],
            "rate": [{"rate_per_s": rate} for rate in (1e-9, 1e9, -1.0)],
            "shares targets": [{"shares_targets": True}],
            "drains": [{"draining": True}],
            "port": [{"port": port} for port in (victim.port + 7, 1, 65_535, 0)],
            "offered to": [{"export_to": sites} for sites in ([], ["*"], [victim.site])],
            "offered name": [{"name": name} for name in ("*", "other", victim.name)],
        }
        found: dict[str, list[Change]] = {
            field: [{"services": [self._body(None, change)]} for change in changes]
            for field, changes in offered.items()
        }
        twice = ([self._declaration()] * 2, [self._advert(), self._advert(capacity=None)])
        found["twice"] = [{"services": [twice]}]
        found["parts"] = [
            {"services": [self._body()] * 32},
            {"services": [self._body()], "first_part": 32},
            {"services": [self._body()], "first_part": 33},
            {"services": [self._body()], "refs": []},
            {"services": [self._body()], "refs": [[1, 1], [2, 1]]},
            {"services": [self._body()], "refs": [[0, 1], [1, 1], [1, 1]]},
            {"services": []},
        ]
        return found

    def _placed(self) -> dict[str, list[Change]]:
        victim = self._victim
        router, site = self._liar.door
        costs = (0, 1, COUNTER_MAX, -1)
        nothing: list[object] = [[], [], []]
        report = [
            [self._liar.router, 1, victim.service, victim.port, 0, 1_000, 1_000, None, 0, 0],
            [victim.router, COUNTER_MAX, victim.service, victim.port, 10**6, 0, 0, None, 0, 0],
        ]
        return {
            "cost": [{"adjacencies": [[router, site, cost]]} for cost in costs],
            "neighbours": [
                {"adjacencies": [[router, site, 1], [victim.router, victim.site, 1]]},
                {"adjacencies": [[victim.router, victim.site, 1]]},
                {"adjacencies": []},
                {"adjacencies": [[router, victim.site, 1]]},
            ],
            "draining": [{"draining": True}],
            "stub": [{"stub": True}],
            "name": [{"name": name} for name in (victim.name, "*", "", f"{victim.name}@ffffffff")],
            "version": [{"version": version} for version in ("", "\x1b[2J", "9" * 63)],
            "restored": [{"restored": at} for at in (1, COUNTER_MAX)],
            "terms": [
                {"terms": [nothing], "adjacencies": [[router, site, 1, 1]]},
                {"terms": [], "adjacencies": [[router, site, 1, 9]]},
            ],
            "bars": [{"bars": [[victim.site, COUNTER_MAX], [site, COUNTER_MAX]]}],
            "load": [{"loads": [one]} for one in report],
        }

    def _signed(self) -> dict[str, list[Change]]:
        victim = self._victim
        return {
            "site": [{"site": victim.site}, {"site": "*"}],
            "router": [{"router": victim.router}],
            "key": [{"public_key": b""}],
            "epoch": [{"epoch_step": 0}, {"epoch_step": 1_000_000}],
            "sequence": [{"sequence": 0}, {"sequence": COUNTER_MAX}],
            "boot": [{"boot_epoch": COUNTER_MAX}, {"nonce": b""}, {"boot_epoch": 0}],
        }


def rejoined(liar: Liar, token_file: Path) -> Liar:
    """The same member: on its link, or on a new one where its words cost it the link."""
    if not liar.closed.wait(0.0):
        return liar
    liar.leave()
    until = time.monotonic() + 10.0
    while True:
        try:
            return Liar(token_file, liar)
        except (OSError, AssertionError, TimeoutError):
            if time.monotonic() > until:
                raise
            time.sleep(0.05)

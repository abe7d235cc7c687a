"""Keeps the process within its memory: compares its use with marks, and sheds load in time.

The order of shedding (shares of the limit, in `limits`): first idle connections, then new work,
then the largest holders. `MemoryLevels` decides and knows nothing else; `MemoryGuard` checks and
carries out. `process.memory` reads the use.
"""

from collections.abc import Callable
from enum import IntEnum
from typing import Protocol

import msgspec

from router.model import limits
from router.model.events import Problem, Tell
from router.model.ticks import next_tick
from router.net.ports import Intake, Timer


class ReliefLevel(IntEnum):
    """The measures taken against a shortage of memory; each includes those before it."""

    CALM = 0
    SHED_IDLE = 1
    REFUSE_NEW = 2
    DROP_SLOWEST = 3


_MARKS = (limits.MEMORY_SHED_IDLE, limits.MEMORY_REFUSE_NEW, limits.MEMORY_DROP_SLOWEST)


class MemoryLevels:
    """The level for a share of the limit: up at once, down a little below the mark. Pure.

    It goes down right below the mark when no more memory can be given back: a spike leaves memory
    that is free but stays resident, and a router that waited for it would refuse forever.
    """

    __slots__ = ("level",)

    def __init__(self) -> None:
        self.level = ReliefLevel.CALM

    def judge(self, share: float, *, is_least: bool = False) -> ReliefLevel:
        """The level at ``share`` (1.0: all that the process may have).

        ``is_least``: free memory has just been given back.
        """
        if self.level == ReliefLevel.CALM and share < limits.MEMORY_SHED_IDLE:
            return self.level  # The usual case.
        below = 0.0 if is_least else limits.MEMORY_CALM_BELOW
        level = sum(
            share >= (mark - below if number <= self.level else mark)
            for number, mark in enumerate(_MARKS, start=1)
        )
        self.level = ReliefLevel(level)
        return self.level


class MemoryUse(msgspec.Struct, frozen=True):
    """Bytes at one moment: resident, and the part that waits for slow readers and slots.

    ``socket_bytes``: the kernel's socket buffers, if they count against the limit as well.
    ``most_bytes``: the most that limits of mapped memory let be resident; None: no such limits.
    """

    resident_bytes: int
    buffered_bytes: int
    socket_bytes: int = 0
    most_bytes: int | None = None

    @property
    def charged_bytes(self) -> int:
        """All bytes that count against the limit."""
        return self.resident_bytes + self.socket_bytes


class Relief(Protocol):
    """Gives memory back."""

    def shed_idle(self) -> int:
        """Close idle connections; returns how many."""

    def refuse_new(self, refuse: bool) -> None:
        """Start or stop refusing all new work."""

    def cap_clients(self, cap: bool) -> None:
        """Start or stop accepting only a few clients, which get the reason."""

    def drop_slowest(self, size_bytes: int) -> int:
        """Reset the largest holders until ``size_bytes`` are free; returns how many."""


class MemoryGuard:
    """Checks every `limits.MEMORY_LOOK_S`, more often near the limit, and acts.

    A timer alone is too late for a crowd. So it also checks after an intake of bytes that may use
    half of the room below the mark for new requests: no crowd passes a mark unseen.
    """

    __slots__ = (
        "_has_dropped",
        "_intake",
        "_is_closed",
        "_is_least",
        "_is_stated",
        "_least_bytes",
        "_levels",
        "_limit_bytes",
        "_next_trim",
        "_read",
        "_relief",
        "_tell",
        "_timer",
        "_trim",
        "_trim_every_s",
        "_trimmed_bytes",
        "buffered_mark_bytes",
        "dropped_total",
        "shed_total",
        "use",
    )

    def __init__(
        self,
        intake: Intake,
        limit_bytes: int,
        read: Callable[[], MemoryUse],
        relief: Relief,
        tell: Tell,
        trim: Callable[[bool], None],
    ) -> None:
        """``read`` gives the present use; ``trim`` returns freed memory to the system.

        ``trim(True)`` may take longer: memory is short.
        """
        self._intake = intake
        self._read = read
        self._relief = relief
        self._tell = tell
        self._trim = trim
        self._has_dropped = self._is_closed = self._is_least = False
        self._levels = MemoryLevels()
        self._next_trim = intake.now()
        self._trim_every_s = limits.MEMORY_TRIM_S
        self._trimmed_bytes = self._least_bytes = 0  # After the last trim, and the least so far.
        self.shed_total = self.dropped_total = 0
        self.use = read()
        self._timer: Timer | None = None
        self.set_limit(limit_bytes)

    def set_limit(self, limit_bytes: int, *, is_stated: bool = False) -> None:
        """Check before anything else comes in. ``is_stated``: set by the site's ``memoryLimit``."""
        self._limit_bytes = limit_bytes
        self._is_stated = is_stated
        self.buffered_mark_bytes = buffered_mark(self.limit_bytes)
        self._look_again(0.0, 0)

    @property
    def limit_bytes(self) -> int:
        """The most bytes that the process may have now."""
        most_bytes = self.use.most_bytes
        return self._limit_bytes if most_bytes is None else min(self._limit_bytes, most_bytes)

    @property
    def _usable_bytes(self) -> int:
        """The marks are shares of this."""
        return self.limit_bytes - limits.MEMORY_RESERVE_BYTES

    def use_now(self) -> MemoryUse:
        """Read the use again."""
        return self._read()

    @property
    def level(self) -> ReliefLevel:
        """The measures in force."""
        return self._levels.level

    def close(self) -> None:
        """Check no more."""
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()

    def problems(self) -> list[Problem]:
        """The problem that `status` shows while memory is short."""
        if self.level < ReliefLevel.REFUSE_NEW:
            return []
        used, limit = self.use.charged_bytes // limits.MIB, self.limit_bytes // limits.MIB
        hint = "Give the router more memory, or services a lower limits.connections"
        if self.limit_bytes < self._limit_bytes:
            hint = "Raise the limits of the router's process: ulimit -v and -d, LimitAS= of systemd"
        elif self._is_stated:
            hint = f"Raise memoryLimit of the site well above {used} MiB, or remove it"
        return [
            Problem(
                code="SW0603",
                message=f"Memory is short: {used} of {limit} MiB are in use, "
                "so new requests are refused here.",
                hint=hint,
            )
        ]

    def _tick(self) -> None:
        self._look()
        if self.level >= ReliefLevel.SHED_IDLE:
            self.shed_total += self._relief.shed_idle()
        self._give_back(self.use.resident_bytes, self.level)

    def _look(self) -> None:
        """The part that cannot wait for the next tick. Clients that just came are not idle."""
        if self._is_closed:
            return  # The network had this call pending.
        if self._has_dropped:
            self._has_dropped = False
            # Else the next read would count memory that is already free, and drop more.
            self._trim(False)
        self.use = use = self._read()
        share = use.charged_bytes / self._usable_bytes
        self._look_again(self._pause_s(use.charged_bytes), self._room(use.charged_bytes))
        before = self.level
        level = self._levels.judge(share, is_least=self._is_least)
        self._is_least = False
        if level != before:
            self._changed(before, level)
        excess_bytes = use.buffered_bytes - self.buffered_mark_bytes
        if level == ReliefLevel.DROP_SLOWEST:
            above = limits.MEMORY_DROP_SLOWEST - limits.MEMORY_CALM_BELOW
            excess_bytes = max(excess_bytes, use.charged_bytes - int(self._usable_bytes * above))
        if excess_bytes > 0:
            dropped = self._relief.drop_slowest(excess_bytes)
            self.dropped_total += dropped
            self._has_dropped = dropped > 0

    def _look_again(self, pause_s: float, intake_bytes: int) -> None:
        """Check after ``pause_s``, or after an intake of ``intake_bytes``."""
        if self._timer is not None:
            self._timer.cancel()
        intake = self._intake
        when = next_tick(intake.now(), pause_s) if pause_s else intake.now()
        self._timer = intake.call_at(when, self._tick)
        intake.after_intake(intake_bytes, self._look)

    def _room(self, charged_bytes: int) -> int:
        """How much may come in before the next check."""
        room_bytes = limits.MEMORY_REFUSE_NEW * self._usable_bytes - charged_bytes
        least_bytes = limits.MEMORY_LOOK_SHARE_MIN * self._usable_bytes
        return int(max(limits.MEMORY_LOOK_ROOM * room_bytes, least_bytes))

    def _pause_s(self, charged_bytes: int) -> float:
        near_bytes = limits.MEMORY_NEAR * self._usable_bytes
        if charged_bytes >= near_bytes:
            return limits.MEMORY_LOOK_NEAR_S
        is_far = charged_bytes + limits.MEMORY_FAR_BYTES <= near_bytes
        return limits.MEMORY_LOOK_FAR_S if is_far else limits.MEMORY_LOOK_S

    def _changed(self, before: ReliefLevel, level: ReliefLevel) -> None:
        refuses = level >= ReliefLevel.REFUSE_NEW
        if refuses != (before >= ReliefLevel.REFUSE_NEW):
            self._relief.refuse_new(refuses)
        caps = level == ReliefLevel.DROP_SLOWEST
        if caps != (before == ReliefLevel.DROP_SLOWEST):
            self._relief.cap_clients(caps)
        used, limit = self.use.charged_bytes // limits.MIB, self.limit_bytes // limits.MIB
        use = f"{used} of {limit} MiB are in use"
        if level == ReliefLevel.CALM:
            self._tell("info", "memory-calm", "memory", f"Memory is no longer short: {use}.")
        elif level > before:
            done = ("", "idle connections are closed", "new requests are refused")
            what = done[level] if level < len(done) else "who holds most of it is reset"
            self._tell(
                "warning" if level == ReliefLevel.SHED_IDLE else "error",
                "memory-short",
                "memory",
                f"Memory is short: {use}, {what}.",
                "Give the router more memory, or services a lower limits.connections",
            )

    def _give_back(self, resident_bytes: int, level: ReliefLevel) -> None:
        """Return freed memory to the system while memory is short, or above a level that once
        sufficed.

        Ever more rarely when that frees nothing: then the memory is in use.
        """
        now = self._intake.now()
        is_short = level >= ReliefLevel.SHED_IDLE
        is_least = resident_bytes <= self._least_bytes * limits.MEMORY_TRIM_ABOVE
        if now < self._next_trim or (is_least and not is_short):
            return
        self._trim(is_short)
        self._is_least = is_short
        left_bytes = self._read().resident_bytes
        grew = resident_bytes > self._trimmed_bytes * limits.MEMORY_TRIM_ABOVE
        freed = left_bytes * limits.MEMORY_TRIM_ABOVE < resident_bytes
        if grew or freed or is_short:
            self._trim_every_s = limits.MEMORY_TRIM_S
        else:
            self._trim_every_s = min(2 * self._trim_every_s, limits.MEMORY_TRIM_S_MAX)
        self._next_trim = now + self._trim_every_s
        self._trimmed_bytes = left_bytes
        self._least_bytes = min(self._least_bytes or left_bytes, left_bytes)


def buffered_mark(limit_bytes: int) -> int:
    """How many bytes may wait for slow readers and slots in a process limited to
    ``limit_bytes``."""
    return max(limits.BUFFERED_BYTES_MIN, int(limit_bytes * limits.BUFFERED_SHARE))

"""The process as Prometheus's own libraries show it: CPU time, memory, descriptors, start.

prometheus-client has a collector for this, with which a test compares it. The router reads the
figures itself: the collector lists all descriptors in one go, for tens of milliseconds in a router
with ten thousand of them, and figures of several workers are summed.
"""

import logging
import os
import resource
import time
from collections.abc import Iterator
from itertools import islice
from typing import Final

from router.admin.ports import MetricValues

log = logging.getLogger("router.operate")

DESCRIPTORS: Final = "/proc/self/fd"
DESCRIPTORS_AT_ONCE: Final = 64
"""Counted in one slice. The kernel lists some 1,300 at once: a millisecond or two."""

_STARTED_FIELD: Final = 19  # Of /proc/PID/stat, after the name of the command (proc(5): the 22nd).


def started_at() -> float:
    """When this process began, Unix seconds, by the clock of now."""
    with open("/proc/self/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    since_boot_s = int(fields[_STARTED_FIELD]) / os.sysconf("SC_CLK_TCK")
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + since_boot_s


def process_values(started: float, resident_bytes: int) -> Iterator[MetricValues]:
    """The figures of now, in slices. ``started``: of `started_at`, once."""
    yield _plain("process_start_time_seconds", started)
    yield _plain("process_cpu_seconds_total", time.process_time())
    yield _plain("process_resident_memory_bytes", resident_bytes)
    yield _plain("process_max_fds", resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    if count := os.stat(DESCRIPTORS).st_size:  # From Linux 6.2 on.
        yield _plain("process_open_fds", count)
    else:
        yield from counted_descriptors()


def counted_descriptors() -> Iterator[MetricValues]:
    """How many are open, for kernels that do not say. Nothing if there is none left to count by."""
    try:
        listed = os.scandir(DESCRIPTORS)
    except OSError as error:
        log.warning("open descriptors are not counted: %s", error)
        return
    count = 0
    with listed:
        while some := sum(1 for _ in islice(listed, DESCRIPTORS_AT_ONCE)):
            count += some
            yield MetricValues({}, {})
    yield _plain("process_open_fds", count - 1)  # One is that of this count.


def _plain(metric: str, number: float) -> MetricValues:
    return MetricValues({metric: {(): number}}, {})

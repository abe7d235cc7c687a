"""Process metrics as in Prometheus's own libraries: CPU time, memory, descriptors, start.

prometheus-client has a collector for this, against which a test compares. The router reads the
figures itself: the collector lists all descriptors at once, which takes tens of milliseconds in a
router with ten thousand of them, and the router adds up the figures of several workers.
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
    """When this process began, in Unix seconds by the present clock."""
    with open("/proc/self/stat") as stat:
        fields = stat.read().rpartition(")")[2].split()
    since_boot_s = int(fields[_STARTED_FIELD]) / os.sysconf("SC_CLK_TCK")
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + since_boot_s


def process_values(started: float, resident_bytes: int) -> Iterator[MetricValues]:
    """The present figures, in slices. ``started``: the result of one `started_at` call."""
    yield _plain("process_start_time_seconds", started)
    yield _plain("process_cpu_seconds_total", time.process_time())
    yield _plain("process_resident_memory_bytes", resident_bytes)
    yield _plain("process_max_fds", resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    if count := os.stat(DESCRIPTORS).st_size:  # From Linux 6.2 on.
        yield _plain("process_open_fds", count)
    else:
        yield from counted_descriptors()


def counted_descriptors() -> Iterator[MetricValues]:
    """Count open descriptors, for kernels that do not report the number. Empty without a free
    descriptor.
    """
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
    yield _plain("process_open_fds", count - 1)  # One of them belongs to this count.


def _plain(metric: str, number: float) -> MetricValues:
    return MetricValues({metric: {(): number}}, {})

"""This host's wall clock explains certificate dates."""

import time

from certs.clocks import clock_skew_report, is_synchronised


def out_of_time_now(chain: tuple[bytes, ...]) -> str:
    """Text about a peer's certificates that are not valid now."""
    return clock_skew_report(chain, time.time(), is_synchronised())

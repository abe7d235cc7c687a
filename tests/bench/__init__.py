"""Figures of the product on this machine: ``make bench`` or ``python -m tests.bench --help``.

Two real sites (processes, one mTLS link) on loopback, a fast backend, a load generator, and every
proxy of the same kind that is installed. ``L``: client -> entry -> backend. ``R``: client -> entry
-> mTLS -> exit -> backend. Samples of all systems are interleaved, medians are reported, and a
sample beside which other work took more than `report.QUIET_CORES` is left out when a quieter one
exists. CPU seconds are those of the proxies alone, both ends together.
"""

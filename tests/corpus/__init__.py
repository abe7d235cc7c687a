"""What clients, targets and neighbours may send in HTTP/1.1, and what must become of it.

`requests_*`, `responses` and `links` are data: bytes, the verdict, and what decides it. They are
run against the parsers (``python -m tests.corpus``, and with the unit tests) and, whole, one byte
per write and across a link, against routers (with the scenario tests). `strict` reads what comes
out by rules of its own.
"""

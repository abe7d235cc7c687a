"""What clients, targets and neighbors may send in HTTP/1.1, and what must become of it.

`requests_*`, `responses` and `links` are data: bytes, the verdict, and its reason. They are run
against the parsers (``python -m tests.corpus``, and with the unit tests) and, whole, one byte per
write and across a link, against routers (with the scenario tests). `strict` reads the output by
separate rules.
"""

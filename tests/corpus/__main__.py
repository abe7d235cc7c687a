"""``python -m tests.corpus``: every case against the parsers, and a table of the verdicts."""

import sys
from collections.abc import Sequence

import msgspec

from tests.corpus import requests, responses
from tests.corpus.judge import request_complaint, response_complaint


class Row(msgspec.Struct):
    """Cases of one kind."""

    kind: str
    cases: int = 0
    accepted: int = 0
    refused: int = 0
    unfinished: int = 0
    odd: int = 0
    failed: int = 0


def tally(kind: str, verdicts: Sequence[tuple[str, bool, str]]) -> Row:
    """One row. ``verdicts``: the outcome of a case, whether it is odd, and its complaint."""
    row = Row(kind)
    for verdict, odd, _ in verdicts:
        row.cases += 1
        row.accepted += verdict == "accepted"
        row.refused += verdict == "refused"
        row.unfinished += verdict == "unfinished"
        row.odd += odd
    row.failed = sum(1 for _, _, fault in verdicts if fault)
    return row


def main() -> int:
    """0: every case meets its verdict."""
    faults: list[str] = []
    asked: list[tuple[str, bool, str]] = []
    for case in requests.CASES.values():
        verdict = "unfinished" if case.at_end else "refused" if case.statuses else "accepted"
        asked.append((verdict, case.odd, request_complaint(case)))
        if asked[-1][2]:
            faults.append(f"request: {case.name}: {asked[-1][2]}")
    answered: list[tuple[str, bool, str]] = []
    for each in responses.CASES.values():
        verdict = "accepted" if each.complete else "unfinished" if each.heads else "refused"
        answered.append((verdict, each.odd, response_complaint(each)))
        if answered[-1][2]:
            faults.append(f"response: {each.name}: {answered[-1][2]}")
    print(f"{'':10}{'cases':>8}{'accepted':>10}{'refused':>9}{'torn':>6}{'odd':>5}{'wrong':>7}")
    for row in (tally("requests", asked), tally("responses", answered)):
        print(
            f"{row.kind:10}{row.cases:8}{row.accepted:10}{row.refused:9}{row.unfinished:6}"
            f"{row.odd:5}{row.failed:7}"
        )
    print("\naccepted though others may not:")
    for case in requests.CASES.values():
        if case.odd:
            print(f"  {case.name}: {case.why}")
    print("\n".join(("", *faults)) if faults else "\nEvery case meets its verdict.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())

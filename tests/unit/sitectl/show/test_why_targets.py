"""What `why` prints of the targets of this site."""

from typing import Any

from sitectl.show.why_text import why_text

CANDIDATE: dict[str, Any] = {
    "site": "east",
    "path": [],
    "path_cost": 0,
    "targets_ready": 2,
    "capacity": 20,
    "in_flight": 3,
    "free": 17,
    "verdict": "chosen",
    "reason": "local site has room (17 of 20 free)",
}


def text(*verdicts: str) -> str:
    targets = [
        {
            "target": f"127.0.0.1:900{number}",
            "in_flight": number,
            "capacity": 10,
            "verdict": verdict,
            "expected_s": 0.02 * number if number else None,
            "reason": "a reason",
        }
        for number, verdict in enumerate(verdicts)
    ]
    return why_text(
        {
            "service": "shop",
            "port": 8080,
            "policy": "fill",
            "decision": {"site": "east", "path": [], "reason": "local site has room"},
            "candidates": [CANDIDATE],
            "targets": targets,
        }
    )


def test_targets_have_rows_while_one_is_passed_over_for_being_slow() -> None:
    found = text("full", "chosen", "hot")
    assert "TARGET          IN FLIGHT  CAPACITY  EXPECTED  VERDICT  REASON" in found
    assert "127.0.0.1:9002  2          10        40 ms     hot      a reason" in found
    assert "127.0.0.1:9000  0          10        -         full     a reason" in found


def test_alike_targets_are_no_news() -> None:
    assert "TARGET" not in text("chosen", "cold")
    assert "TARGET" not in text()

"""Targets of this site that accept connections and answer nothing: what to report."""

from collections.abc import Iterable, Iterator, Mapping

from router.forward.target_answers import silent_text
from router.model.events import Note
from router.model.ids import ServiceKey


def notes_of(silent: Iterable[tuple[ServiceKey, Mapping[str, int]]]) -> Iterator[Note]:
    """One for each target. ``silent``: connections in a row that got no byte, by address."""
    for key, targets in silent:
        for address, in_a_row in targets.items():
            yield Note(
                severity="warning",
                code="SW0348",
                message=f"Service {key}: {sentence(address, in_a_row)}.",
                hint=hint(key),
            )


def sentence(address: str, in_a_row: int) -> str:
    """``3 connections in a row got no byte of an answer from 10.0.0.5:5432``."""
    return f"{silent_text(in_a_row)} from {address}"


def hint(key: ServiceKey) -> str:
    """The next step."""
    return (
        "It accepts connections and stays in use: see whether it hangs. "
        f"When it answers again: sitectl events --since 10m --service {key.name}"
    )

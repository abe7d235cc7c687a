"""Reads one command on stdin, writes one answer to stdout: a router runs scenarios in this process.

``python -m simulator`` is a separate process, so that traffic does not wait for it. SIGTERM ends a
run at its next step; the answer has the results until then. The texts of scenarios come from any
client that may ask the router, so they cannot read logs.
"""

import signal
import sys

import msgspec

from router.model.errors import ConfigError
from simulator.outcomes import figures
from simulator.outcomes.skupper import Version
from simulator.runs.run import Run, TooManyRequests
from simulator.scenarios import reading

_SOURCE = "scenario"


class RunOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Scenarios to run one after the other, each ended after ``requests_max`` of its requests."""

    scenarios: tuple[str, ...]
    requests_max: int
    rivals: bool = True


class InputFinding(msgspec.Struct, frozen=True):
    """A fault in a scenario, and its position."""

    line: int
    column: int
    code: str
    message: str
    hint: str


class RunAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """``outcomes`` of the scenarios in their order, or the errors of the first invalid one."""

    outcomes: list[figures.RunOutcome] = []
    errors: list[InputFinding] = []
    notes: list[str] = []


def answer(order: RunOrder) -> RunAnswer:
    """Run the scenarios of ``order``."""
    outcomes: list[figures.RunOutcome] = []
    told: list[str] = []
    asked_to_end = False

    def end(number: int, frame: object) -> None:
        nonlocal asked_to_end
        asked_to_end = True

    def progress(share: float, begun: int) -> bool:
        return not asked_to_end and begun < order.requests_max

    signal.signal(signal.SIGTERM, end)
    for text in order.scenarios:
        scenario, errors, notes = reading.read(text, _SOURCE, _no_log)
        told += notes
        if scenario is None:
            return RunAnswer(errors=[_finding(error) for error in errors], notes=told)
        run = Run(scenario)
        try:
            record = run.finish(progress)
        except TooManyRequests as error:
            hint = "Shorten duration, give closed loops a think, or let more wait: queue"
            return RunAnswer(errors=[InputFinding(1, 1, "SW0722", str(error), hint)], notes=told)
        rivals: tuple[Version, ...] = ("v1", "v2") if order.rivals and not outcomes else ()
        outcomes.append(figures.outcome(scenario, record, run.draw, rivals))
        if record.interrupted:
            break
    return RunAnswer(outcomes=outcomes, notes=told)


def _no_log(name: str) -> str:
    raise OSError(0, "logs are read by sitectl simulate only")


def _finding(error: ConfigError) -> InputFinding:
    message = error.message.removeprefix(error.source).lstrip(": ")
    return InputFinding(error.line, error.column, error.code, message, error.hint)


def main() -> None:
    order = msgspec.json.decode(sys.stdin.buffer.read(), type=RunOrder)
    sys.stdout.buffer.write(msgspec.json.encode(answer(order)))


if __name__ == "__main__":
    main()

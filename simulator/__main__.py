"""One order on stdin, one answer on stdout: how a router has scenarios run beside it.

``python -m simulator``, a process of its own, so that traffic does not wait for it. SIGTERM ends a
run at its next step; what was seen until then is answered. Texts of scenarios come from whoever may
ask the router: they read no logs.
"""

import signal
import sys

import msgspec

from router.model.errors import ConfigError
from simulator import figures, reading
from simulator.run import Run, TooManyRequests
from simulator.skupper import Version

_SOURCE = "scenario"


class RunOrder(msgspec.Struct, frozen=True, kw_only=True):
    """Scenarios to run one after the other, each ended after ``requests_max`` of its requests."""

    scenarios: tuple[str, ...]
    requests_max: int
    rivals: bool = True


class InputFinding(msgspec.Struct, frozen=True):
    """Something that is wrong with a scenario, and where."""

    line: int
    column: int
    code: str
    message: str
    hint: str


class RunAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """``outcomes`` of the scenarios in their order, or what is wrong with the first that is bad."""

    outcomes: list[figures.RunOutcome] = []
    errors: list[InputFinding] = []
    notes: list[str] = []


def answer(order: RunOrder) -> RunAnswer:
    """Carry it out."""
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

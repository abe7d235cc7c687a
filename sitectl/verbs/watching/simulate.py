"""`simulate`: a scenario run on the router's own code, in virtual time.

Codes: SW0720 to SW0726 are `simulator.scenarios.reading`'s; SW0727 a value of ``--set``, SW0728 a
file that cannot be written.
"""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from router.model.errors import ConfigError
from router.model.specs import POLICIES
from sitectl.base import colours, output, texts
from sitectl.base.failure import Exit, Failure, usage
from sitectl.base.options import Settings
from sitectl.base.verb import Verb
from sitectl.base.whole_install import require_routers

if TYPE_CHECKING:
    from simulator.outcomes.figures import RunOutcome
    from simulator.outcomes.skupper import Version
    from simulator.runs.run import Run
    from simulator.scenarios.scenario import Scenario


BESIDE = (
    "envoy-priority",
    "load-aware-locality",
    "least-request",
    "google-waterfall",
    "prequal",
)
"""Keys of `simulator.rivals.compare.RULES`, which is imported when it is needed."""


@click.command(cls=Verb)
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--seed", type=click.IntRange(0, 999_999_999), help="Seed instead of the scenario's.")
@click.option(
    "--policy",
    type=click.Choice(POLICIES),
    help="Policy of all services instead of the scenario's.",
)
@click.option(
    "--compare", type=click.Choice(POLICIES), help="Also run the scenario under this policy."
)
@click.option(
    "--set",
    "changes",
    metavar="FIELD=VALUE",
    multiple=True,
    help="Change a field: duration=10s, targets.0.count=3, arrivals.0.rate=80/s.",
)
@click.option(
    "--svg", type=click.Path(dir_okay=False, path_type=Path), help="Write a picture to this file."
)
@click.option(
    "--advise",
    is_flag=True,
    help="Try pins, isolation and capacities, and report which plan is best for the clients.",
)
@click.option("--over-time", is_flag=True, help="Also print a table of every site over time.")
@click.option("--no-plot", is_flag=True, help="Print only tables.")
@click.option(
    "--beside",
    type=click.Choice([*BESIDE, "all"]),
    multiple=True,
    help="Also show the result of this balancer's rule. Repeatable.",
)
@click.option("--no-skupper", is_flag=True, help="Leave out the result of Skupper's rule.")
@click.pass_context
def simulate(
    ctx: click.Context,
    file: Path,
    seed: int | None,
    policy: str | None,
    compare: str | None,
    changes: tuple[str, ...],
    svg: Path | None,
    advise: bool,
    over_time: bool,
    no_plot: bool,
    beside: tuple[str, ...],
    no_skupper: bool,
) -> None:
    """Run the scenario in FILE: which site serves which, where requests overflow, latencies.

    \b
    Examples:
      sitectl simulate examples/burst.yaml
      sitectl simulate examples/burst.yaml --compare balanced
      sitectl simulate examples/burst.yaml --set arrivals.0.peak=400/s --set targets.1.count=20
      sitectl simulate examples/burst.yaml --svg burst.svg
      sitectl simulate examples/burst.yaml -o json > burst.json
      sitectl simulate examples/chain.yaml --advise

    Whole routers run in virtual time, on the code that decides in production. The same file and the
    same seed give the same output. Ctrl-C ends it and shows what there is. docs/simulate.md has the
    fields.
    """
    require_routers("simulate")
    from simulator.shown import report

    settings = ctx.ensure_object(Settings)
    scenario = _scenario(file, changes, seed)
    wanted = dict.fromkeys((policy, compare) if compare else (policy,))
    scenarios = [_under(scenario, name) for name in wanted]
    if advise:
        _advise(ctx, file, scenarios[0])
        return
    if svg is not None:
        _require_place(svg, file)
    outcomes = _outcomes(file, scenarios, beside, no_skupper)
    if svg is not None:
        _draw(svg, scenario, outcomes)
    items = [_plain(one) for one in outcomes]
    output.emit_items(
        settings, "Simulation", items, lambda: _text(outcomes, report, over_time, not no_plot)
    )
    if outcomes[-1].interrupted:
        ctx.exit(Exit.INTERRUPTED)


def _outcomes(
    file: Path, scenarios: "list[Scenario]", beside: tuple[str, ...], no_skupper: bool
) -> "list[RunOutcome]":
    """Of each scenario in turn, until one is interrupted; other balancers beside the first."""
    from simulator.outcomes import figures
    from simulator.runs.run import Run, TooManyRequests

    outcomes: list[RunOutcome] = []
    for chosen in scenarios:
        run = Run(chosen)
        try:
            with _interruptible() as progress:
                record = run.finish(progress.of_run)
        except TooManyRequests as error:
            raise _too_many(file, error) from error
        rivals: tuple[Version, ...] = () if no_skupper or outcomes else ("v1", "v2")
        found = figures.outcome(chosen, record, run.draw, rivals)
        if beside and not outcomes:
            found = _with_rivals(found, run, beside)
        outcomes.append(found)
        if record.interrupted:
            output.note(f"interrupted after {record.lasted_s:.1f} s of the scenario")
            break
    return outcomes


def _with_rivals(outcome: "RunOutcome", run: "Run", beside: tuple[str, ...]) -> "RunOutcome":
    from simulator.rivals import compare

    names = [name for name in compare.RULES if name in beside or "all" in beside]
    found = compare.beside(run.world.scenario, run.record, run.draw, names)
    return msgspec.structs.replace(outcome, rivals=found)


def _too_many(file: Path, error: Exception) -> Failure:
    hint = "Shorten duration, give closed loops a think, or let more wait: queue"
    return Failure(Exit.FAILED, "SW0722", f"{file}: {error}", hint)


def _advise(ctx: click.Context, file: Path, scenario: "Scenario") -> None:
    """Print which plan is best, and what bursting costs as it is."""
    from simulator.advice.search import advise
    from simulator.runs.run import TooManyRequests
    from simulator.shown import report

    try:
        with _interruptible() as progress:
            advice = advise(scenario, progress.of_advice)
    except TooManyRequests as error:
        raise _too_many(file, error) from error

    def text() -> str:
        parts = [f"{advice.scenario}: {len(advice.tried)} plans tried", ""]
        parts += [output.rows(*report.plans(advice)), ""]
        if advice.bursts:
            parts += [output.rows(*report.burst_costs(advice)), ""]
        return "\n".join([*parts, *report.advised(advice)])

    item = msgspec.to_builtins(advice)
    output.emit_items(ctx.ensure_object(Settings), "SimulationAdvice", [item], text)
    if not advice.whole:
        output.note("ended early: further plans were not tried")
        if progress.asked:
            ctx.exit(Exit.INTERRUPTED)


def _plain(outcome: "RunOutcome") -> dict[str, Any]:
    plain: dict[str, Any] = msgspec.to_builtins(outcome)
    return plain


def _scenario(file: Path, changes: tuple[str, ...], seed: int | None) -> "Scenario":
    from simulator.scenarios import bounds, reading

    def open_log(name: str) -> str:
        with (file.parent / name).open("rb") as log:  # Its size says nothing of a device.
            data = log.read(bounds.LOG_BYTES_MAX + 1)
        if len(data) > bounds.LOG_BYTES_MAX:
            raise OSError(0, f"is larger than {bounds.LOG_BYTES_MAX} bytes")
        return data.decode("utf-8")

    text = texts.text_of(file)
    scenario, errors, notes = reading.read(text, str(file), open_log)
    if scenario is not None and changes:
        text = _changed(text, changes)
        scenario, found, notes = reading.read(text, "--set", open_log)
        errors = [  # Without line and column: those are of a text that the user never sees.
            ConfigError("--set", one.path, one.reason, hint=one.hint, code=one.code)
            for one in found
        ]
    if scenario is None:
        raise texts.config_failure(errors, f"{file} cannot be simulated")
    for note in notes:
        output.note(note)
    return scenario if seed is None else msgspec.structs.replace(scenario, seed=seed)


def _changed(text: str, changes: tuple[str, ...]) -> str:
    """The document with fields set, by their way under ``spec``."""
    import yaml

    document = yaml.safe_load(text)
    for change in changes:
        way, found, value = change.partition("=")
        *parents, last = way.split(".")
        place = document["spec"]
        try:
            for part in parents:
                place = place[int(part)] if isinstance(place, list) else place[part]
            if isinstance(place, list):
                place[int(last)] = yaml.safe_load(value)
            else:
                place[last] = yaml.safe_load(value)
        except (KeyError, IndexError, ValueError, TypeError, RecursionError, yaml.YAMLError):
            found = ""
        if not found:
            raise usage(
                f"--set {change}: there is no such field in the file",
                "--set FIELD=VALUE as in --set duration=10s or --set targets.0.count=3",
                code="SW0727",
            )
    changed: str = yaml.safe_dump(document, sort_keys=False)
    return changed


def _under(scenario: "Scenario", policy: str | None) -> "Scenario":
    """The scenario with all services under ``policy``; None: as they are."""
    if policy is None:
        return scenario
    if policy == "split" and not all(any(one.weights.values()) for one in scenario.services):
        raise usage(
            "policy split needs weights, and the scenario has none",
            "Add weights: {SITE: 1, …} to its services",
            code="SW0724",
        )
    services = tuple(msgspec.structs.replace(one, policy=policy) for one in scenario.services)
    return msgspec.structs.replace(scenario, services=services)


class _Progress:
    """Of a run or of advice, on a terminal's stderr. ``asked``: Ctrl-C asked to end."""

    def __init__(self) -> None:
        self.asked = False
        self.shows = sys.stderr.isatty()

    def of_run(self, share: float, begun: int) -> bool:
        """``share`` of a run is done; whether to go on."""
        return self._show(share, f"{begun} requests")

    def of_advice(self, tried: int, share: float) -> bool:
        """``share`` of the run after ``tried`` plans is done; whether to go on."""
        return self._show(share, f"of plan {tried + 1}")

    def _show(self, share: float, text: str) -> bool:
        if self.shows:
            click.echo(f"\r{share * 100:3.0f} %  {text}", err=True, nl=False)
        return not self.asked


@contextmanager
def _interruptible() -> Iterator[_Progress]:
    """Progress; the first Ctrl-C ends the run, the second the command."""
    progress = _Progress()

    def interrupted(number: int, frame: object) -> None:
        progress.asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    before = signal.signal(signal.SIGINT, interrupted)
    try:
        yield progress
    finally:
        signal.signal(signal.SIGINT, before)
        if progress.shows:
            click.echo("\r" + " " * 40 + "\r", err=True, nl=False)


def _text(outcomes: "list[RunOutcome]", report: Any, over_time: bool, plot: bool) -> str:
    from simulator.shown import plots

    parts: list[str] = []
    for one in outcomes:
        head = f"{one.scenario}: {one.requests} requests in {one.lasted_s:g} s, seed {one.seed}"
        parts += [f"{head}, policy {one.policy}", "", output.rows(*report.sites(one)), ""]
        parts += [*report.spills(one), ""]
        if kept := report.kept_connections(one):
            parts += [*kept, ""]
        if one.classes:
            parts += [output.rows(*report.classes(one)), ""]
        if one.bursts:
            parts += [*report.bursts(one), ""]
        if plot:
            parts += [_coloured(row.text, row.colour) for row in plots.rows(one)]
        if over_time:
            parts += [output.rows(*report.over_time(one)), ""]
    lines = [line for one in outcomes for line in report.split(one, one.policy)]
    parts.append(output.rows(report.SPLIT_HEADINGS, lines))
    return "\n".join(parts)


def _coloured(text: str, colour: str) -> str:
    if colour and colours.wanted():
        return click.style(text, fg=colour)
    return text


def _require_place(path: Path, file: Path) -> None:
    """Before the run: a picture can be written to ``path``, and it is not the scenario itself."""
    reason, parent = "", path.parent
    if path.exists() and (not path.is_file() or path.samefile(file)):
        reason = "is the scenario itself" if path.is_file() else "is no file"
    elif not parent.is_dir():
        reason = f"there is no directory {parent}"
    elif not os.access(path if path.exists() else parent, os.W_OK):
        reason = "Permission denied"
    if reason:
        raise _not_drawn(path, reason)


def _not_drawn(path: Path, error: str | None) -> Failure:
    return Failure(Exit.FAILED, "SW0728", f"{path}: {error}", "Name another file with --svg")


def _draw(path: Path, scenario: "Scenario", outcomes: "list[RunOutcome]") -> None:
    from simulator.shown import overflow_chart

    try:
        path.write_text(overflow_chart.svg(scenario, outcomes), "utf-8")
    except OSError as error:
        raise _not_drawn(path, error.strerror) from error
    output.note(f"drawn: {path}")

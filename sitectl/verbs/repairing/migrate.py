"""`migrate`: services of a namespace from Skupper, v1 or v2, to here, one by one, and back."""

import time
from typing import TYPE_CHECKING, Any, NamedTuple

import click
import msgspec

from sitectl.base import output
from sitectl.base.failure import Failure, conflict, not_found, usage
from sitectl.base.options import Planned, Settings, dry_run_flag
from sitectl.base.verb import Verb

if TYPE_CHECKING:
    from router.kubernetes.migration.record import Direction
    from router.kubernetes.migration.views import MigrationStep
    from router.model.specs import ConnectorSpec
    from sitectl.kubernetes.migration.migration_run import MigrationResult
    from sitectl.kubernetes.migration.survey import SkupperAddress, SkupperNamespace
    from sitectl.kubernetes.site import KubernetesSite

_GAP_OF_A_USERS = "none is expected: between the routers the Service leads to its own pods"
_GAP_OF_A_GENERATED = (
    "from Skupper deleting its Service until ours is made, some 200 ms; it keeps its cluster "
    "address where that is free"
)
_GAP_OF_A_FOREIGN = (
    "from Skupper deleting its Service until ours is made, some 200 ms; its cluster address changes"
)
_GAP_OF_V2 = (
    "none: one write leads the Service here, while both routers listen; connections that are open "
    "stay with Skupper's router"
)
_BACK_TO = {
    "v1": "skupper init, then sitectl migrate --rollback",
    "v2": "Have Skupper's controller make its router again (docs/kubernetes-migration.md), then "
    "sitectl migrate --rollback",
}
_NOTE_OF_V2 = (
    "From the first service that moves until the last went back, Skupper's controller stands still "
    "in this namespace: changes of Listeners and Connectors, certificates and statuses wait."
)
_GAP_UNASKED = (
    "some 300 ms: Skupper 1.9 leaves the Service to its command line, after that time to us; then "
    "it leads to its own pods"
)


class _Asked(NamedTuple):
    """One service that was asked for; ``is_named`` on the command line."""

    name: str
    is_named: bool


@click.command(cls=Verb)
@click.argument("services", nargs=-1, metavar="[SERVICE…]")
@click.option("--plan", "what", flag_value="plan", help="Say what would happen; change nothing.")
@click.option("--apply", "what", flag_value="apply", help="Move from Skupper to here.")
@click.option("--rollback", "what", flag_value="rollback", help="Move back to Skupper.")
@click.option(
    "--declare-only",
    is_flag=True,
    help="With --apply: documents only. Both serve; clients of other sites can move first.",
)
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(min=0),
    metavar="SECONDS",
    help="Maximum wait for targets and the Service, for each service. [default: --timeout]",
)
@dry_run_flag
@click.pass_obj
def migrate(
    settings: Settings,
    services: tuple[str, ...],
    what: str | None,
    declare_only: bool,
    wait_s: float | None,
) -> None:
    """Move services here from a Skupper, v1 or v2, in the same namespace, and back.

    Each service moves alone: write our documents, wait until our router's targets are ready, take
    the address from Skupper, lead its Service here. You may interrupt it anywhere and run it again.
    Without SERVICE all movable services move. In v2 a SERVICE is the host of Listeners, or a key
    that only Connectors name. Routers of Skupper and Spillway cannot link to each other: --plan
    lists the links to make.

    \b
    Examples:
      sitectl -n shop migrate --plan
      sitectl -n shop migrate --apply backend
      sitectl -n shop migrate --rollback backend
    """
    settings.require_kubernetes("migrate")
    if what is None:
        raise usage("say what to do: --plan, --apply or --rollback", "sitectl migrate --plan")
    if declare_only and what != "apply":
        raise usage("--declare-only is for --apply", "Leave it out")
    from sitectl.kubernetes.migration.migration_run import read
    from sitectl.kubernetes.site import KubernetesSite

    site = KubernetesSite.of(settings)
    found = read(site.cluster)
    for name in services:
        _require_known(name, found)
    if what == "plan":
        _plan(settings, found, services)
        return
    direction: Direction = "apply" if what == "apply" else "rollback"
    _require_both(site, found, direction)
    asked = _asked(found, services, direction)
    if settings.dry_run:
        _dry_run(settings, found, asked, direction, declare_only)
        return
    _move(settings, site, found, asked, direction, declare_only, wait_s)


def _require_known(name: str, found: "SkupperNamespace") -> None:
    from sitectl.kubernetes.migration.migration_run import refuse

    if name not in found.candidates:
        refuse(None, name, found)


def _require_both(
    site: "KubernetesSite", found: "SkupperNamespace", direction: "Direction"
) -> None:
    """Raise Failure unless there is a site of ours, and a Skupper to go back to."""
    if direction == "apply":
        site.require_site()
        from router.kubernetes.objects import names

        if found.snapshot.get("Deployment", names.ROUTER) is None and not site.admin.is_running():
            raise not_found(
                f"namespace {site.namespace} has no Spillway router yet",
                "sitectl init --wait ready",
                code="no-router",
            )
    elif not found.has_skupper:
        raise conflict(
            f"Skupper does not run in namespace {site.namespace} any more: there is nothing to go "
            "back to",
            _BACK_TO[found.release],
            code="no-skupper",
        )


def _asked(
    found: "SkupperNamespace", services: tuple[str, ...], direction: "Direction"
) -> list[_Asked]:
    if services:
        return [_Asked(name, True) for name in dict.fromkeys(services)]
    if direction == "rollback":
        return [_Asked(name, False) for name in found.records]
    return [_Asked(name, False) for name, one in found.candidates.items() if not one.obstacles]


# Plan -------------------------------------------------------------------------------------------


def _plan(settings: Settings, found: "SkupperNamespace", services: tuple[str, ...]) -> None:
    from sitectl.kubernetes.migration.survey_links import gateways, links

    chosen = services or tuple(found.candidates)
    items = [_planned(found, name) for name in chosen]
    link_items, gateway_items = links(found), gateways(found)
    staying = [] if services else [{"object": one, "reason": why} for one, why in found.staying]
    notes = [_NOTE_OF_V2] if found.release == "v2" else []
    item = {
        "release": found.release,
        "services": items,
        "links": link_items,
        "gateways": gateway_items,
        "staying": staying,
        "notes": notes,
    }
    output.emit_item(
        settings,
        "MigrationPlan",
        item,
        lambda: "\n".join(
            [
                *_service_lines(items),
                *_other_lines(link_items, gateway_items),
                *_staying_lines(staying),
                *(line for note in notes for line in ("", note)),
            ]
        ),
    )


def _planned(found: "SkupperNamespace", name: str) -> dict[str, Any]:
    candidate = found.candidates[name]
    steps = _steps(found, name, "apply") if not candidate.obstacles else ()
    return {
        "name": name,
        "protocol": candidate.protocol,
        "ports": list(candidate.ports),
        "origin": candidate.origin,
        "targets": [
            {"workload": _place(one), "ports": _target_ports(one)} for one in candidate.connectors
        ],
        "served_by": _served_by(found, candidate),
        "state": _state(found, name, candidate, steps),
        "steps": [step.text for step in steps],
        "gap": _gap(candidate, found) if steps else "",
        "becomes": [{"object": one, "here": here} for one, here in candidate.becomes],
        "obstacles": list(candidate.obstacles),
        "notes": list(candidate.notes),
    }


def _steps(
    found: "SkupperNamespace", name: str, direction: "Direction", only_declare: bool = False
) -> "tuple[MigrationStep, ...]":
    """The remaining steps; readiness of targets is checked only if there is another step."""
    from router.kubernetes.migration.forecast import planned_steps

    view = msgspec.structs.replace(found.view(name), only_declare=only_declare)
    left = planned_steps(msgspec.structs.replace(view, is_serving=True), direction)
    return planned_steps(view, direction) if left else ()


def _gap(candidate: "SkupperAddress", found: "SkupperNamespace") -> str:
    if not candidate.is_led:
        return "none: it has no Service here"
    if found.release == "v2":
        return _GAP_OF_V2
    if candidate.is_foreign:
        return _GAP_OF_A_FOREIGN
    if candidate.is_generated:
        return _GAP_OF_A_GENERATED
    own = f"Service/{candidate.address}"
    return _GAP_OF_A_USERS if own in candidate.annotated else _GAP_UNASKED


def _place(connector: "ConnectorSpec") -> str:
    return connector.workload or ", ".join(one.host for one in connector.targets)


def _target_ports(connector: "ConnectorSpec") -> list[int | str]:
    if connector.workload:
        return list(connector.target_ports)
    return list(dict.fromkeys(port for one in connector.targets for port in one.ports))


def _served_by(found: "SkupperNamespace", candidate: "SkupperAddress") -> str:
    from router.kubernetes.services import adoption, owned_services

    name = candidate.address
    service = found.snapshot.get("Service", name)
    if found.release == "v2" and not candidate.is_led:
        return "both" if name in found.records else "skupper"
    if service is None:
        return "nobody"
    if adoption.is_skuppers(service):
        return "skupper"
    if adoption.is_adopted(service) or owned_services.is_made(service):
        return "spillway"
    return "its pods"


def _state(
    found: "SkupperNamespace",
    name: str,
    candidate: "SkupperAddress",
    steps: "tuple[MigrationStep, ...]",
) -> str:
    record = found.records.get(name)
    if candidate.obstacles:
        return "stays"
    if record is None:
        return "at skupper"
    if record.direction == "rollback":
        return "going back"
    return "under way" if steps else "moved"


def _service_lines(items: list[dict[str, Any]]) -> list[str]:
    if not items:
        return ["Skupper has no services here."]
    lines = [
        output.rows(
            ("SERVICE", "PROTOCOL", "PORTS", "TARGETS", "SERVED BY", "STATE"),
            [
                (
                    item["name"],
                    item["protocol"],
                    ",".join(map(str, item["ports"])),
                    [_target(one) for one in item["targets"]],
                    item["served_by"],
                    item["state"],
                )
                for item in items
            ],
        )
    ]
    for item in items:
        detail = [f"  {one['object']} becomes {one['here']}" for one in item["becomes"]]
        detail += [f"  cannot move: {text}" for text in item["obstacles"]]
        detail += [f"  {at}. {text}" for at, text in enumerate(item["steps"], 1)]
        detail += [f"  gap: {item['gap']}"] if item["gap"] else []
        detail += [f"  note: {text}" for text in item["notes"]]
        if detail:
            lines += ["", f"{item['name']}:", *map(output.safe, detail)]
    return lines


def _target(one: dict[str, Any]) -> str:
    return f"{one['workload']}:{'/'.join(map(str, one['ports']))}"


def _other_lines(links: list[dict[str, Any]], gateways: list[dict[str, Any]]) -> list[str]:
    lines: list[str] = []
    if links:
        lines += ["", "Links: Skupper's tokens are of no use here, each site makes one of ours."]
    for link in links:
        state = "done" if link["done"] else "to make"
        lines.append(
            output.safe(f"  {link['name']} to {link['neighbour']}, cost {link['cost']}: {state}")
        )
        lines += [output.safe(f"    note: {text}") for text in link["notes"]]
        if not link["done"]:
            lines += [
                output.safe(f"    there: {link['there']}"),
                output.safe(f"    here:  {link['here']}"),
            ]
    if gateways:
        lines += ["", "Gateways: on their hosts"]
    for gateway in gateways:
        lines += [f"  {output.safe(command)}" for command in gateway["commands"]]
    return lines


def _staying_lines(staying: list[dict[str, Any]]) -> list[str]:
    if not staying:
        return []
    told = [output.safe(f"  {one['object']}: {one['reason']}") for one in staying]
    return ["", "Objects that no service of ours replaces:", *told]


# Apply and rollback -----------------------------------------------------------------------------


def _dry_run(
    settings: Settings,
    found: "SkupperNamespace",
    asked: list[_Asked],
    direction: "Direction",
    only_declare: bool,
) -> None:
    """The steps on stderr; on stdout the documents, for those who keep them in Git."""
    from router.kubernetes.objects.changes import Create, Patch
    from router.kubernetes.objects.objects import name_of

    for one in asked:
        candidate = found.candidates[one.name]
        for step in _steps(found, one.name, direction, only_declare):
            output.note(f"{one.name}: {step.text}" + (f". {step.hint}" if step.hint else ""))
            changed = {change.name for change in step.changes if isinstance(change, Create | Patch)}
            for body in candidate.maps:
                if name_of(body) in changed and direction == "apply":
                    shown = f"ConfigMap/{name_of(body)}"
                    settings.planned.append(Planned("applied", shown, dict(body)))
    output.emit_planned(settings)


def _move(
    settings: Settings,
    site: "KubernetesSite",
    found: "SkupperNamespace",
    asked: list[_Asked],
    direction: "Direction",
    only_declare: bool,
    wait_s: float | None,
) -> None:
    from sitectl.kubernetes.migration.migration_run import Mover, refuse

    limit_s = settings.timeout_s if wait_s is None else wait_s
    mover = Mover(site, limit_s, output.note, time.monotonic)
    router_runs = site.admin.is_running()
    told: list[MigrationResult] = []
    for one in asked:
        candidate = found.candidates[one.name]
        if direction == "apply":
            refuse(candidate, one.name, found)
        view = msgspec.structs.replace(
            found.view(one.name), only_declare=only_declare, router_runs=router_runs
        )
        if candidate.is_foreign and not one.is_named and not mover.is_serving(view):
            output.note(f"{one.name}: stays, no Spillway site serves it yet")
            continue
        told.append(mover.move(view, direction))
    _tell(settings, told)


def _tell(settings: Settings, told: "list[MigrationResult]") -> None:
    output.emit_items(
        settings,
        "Migration",
        [one.item() for one in told],
        lambda: (
            output.rows(
                ("SERVICE", "CHANGE", "STEPS", "TOOK"),
                [
                    (one.name, one.change, len(one.steps), output.seconds(one.took_s))
                    for one in told
                ],
            )
            if told
            else "Nothing to do."
        ),
    )
    failed = [one for one in told if one.error is not None]
    if failed:
        first = failed[0].error
        assert first is not None
        detail = "\n".join(f"{one.name}: {one.error}" for one in failed[1:])
        raise Failure(
            first.exit_code, first.code, first.message, first.hint, detail=detail, retryable=True
        )

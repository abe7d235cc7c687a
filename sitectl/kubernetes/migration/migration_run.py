"""Moving services between Skupper and us, step by step: reads, writes, waits; decides nothing.

`router.kubernetes.migration` computes the steps, each time from the objects as they are. So an
interrupted move continues where it stopped, and a completed one is left alone.
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple

import msgspec

from router.kubernetes.migration.migration import next_step
from router.kubernetes.migration.record import Direction, record_of
from router.kubernetes.migration.views import AddressView, MigrationStep, Waiting
from router.kubernetes.objects import names
from router.kubernetes.objects.changes import Change, Create, Delete
from router.kubernetes.objects.objects import Object, name_of
from sitectl.base.failure import Failure, conflict, not_found, timed_out
from sitectl.base.parallel import in_parallel
from sitectl.kubernetes.cluster import ApiFailure, Cluster
from sitectl.kubernetes.migration.survey import GATEWAYS, SkupperAddress, SkupperNamespace, runs
from sitectl.kubernetes.migration.survey_v1 import survey
from sitectl.kubernetes.migration.survey_v2 import is_v2, survey_v2
from sitectl.kubernetes.namespace_objects import read_namespace
from sitectl.kubernetes.site import KubernetesSite

POLL_S, SLOW_POLL_S = 0.05, 0.5
"""While a Service changes hands; while targets become ready, which asks the router."""
_CONFLICTS_MAX: Final = 20


class MigrationResult(NamedTuple):
    """The outcome for one service."""

    name: str
    change: str
    steps: list[str]
    took_s: float
    error: Failure | None = None

    def item(self) -> dict[str, Any]:
        """For -o json."""
        error = self.error.as_json() if self.error is not None else None
        return {
            "name": self.name,
            "change": self.change,
            "steps": self.steps,
            "took_s": round(self.took_s, 2),
            "error": error,
        }


def read(cluster: Cluster) -> SkupperNamespace:
    """Everything that moves, as it is now. Failure: Skupper v2's objects may not be read."""
    reading = read_namespace(cluster)
    snapshot = reading.snapshot
    records_map = cluster.find("ConfigMap", names.MIGRATION_CONFIGMAP)
    if not is_v2(snapshot):
        return survey(snapshot, records_map, cluster.list("ConfigMap", GATEWAYS))
    if reading.refused_v2:
        raise reading.refused_v2[0]
    control = snapshot.get("ConfigMap", names.SKUPPER_CONTROL)
    return survey_v2(snapshot, reading.picture.options, records_map, control)


class Mover:
    """Moves one service at a time. ``tell`` is called with each step as it begins."""

    def __init__(
        self,
        site: KubernetesSite,
        wait_s: float,
        tell: Callable[[str], None],
        now: Callable[[], float],
    ) -> None:
        self._site, self._cluster = site, site.cluster
        self._wait_s, self._tell, self._now = wait_s, tell, now

    def move(self, view: AddressView, direction: Direction) -> MigrationResult:
        """Take all steps that are left. Failures end in the result: other services go on."""
        steps: list[str] = []
        began = self._now()
        try:
            self._run(view, direction, steps)
        except Failure as failure:
            return MigrationResult(view.address, "failed", steps, self._now() - began, failure)
        change = "unchanged"
        if steps:
            change = "declared" if view.only_declare else "moved"
            change = "moved back" if direction == "rollback" else change
        return MigrationResult(view.address, change, steps, self._now() - began)

    def _run(self, view: AddressView, direction: Direction, steps: list[str]) -> None:
        conflicts = 0
        view = self._fresh(view)
        while (step := next_step(view, direction)) is not None:
            if step.hint:
                raise conflict(step.text, step.hint, code="obstacle")
            if step.waits_for:
                view = self._wait(view, step, direction, steps)
                continue
            self._note(view, step, steps)
            if not self._carried_out(step):
                conflicts += 1
                if conflicts > _CONFLICTS_MAX:
                    raise conflict(
                        f"another program keeps changing the objects of {view.address}",
                        "kubectl get service,configmap --show-managed-fields -o yaml tells who",
                    )
            view = self._fresh(view)

    def _note(self, view: AddressView, step: MigrationStep, steps: list[str]) -> None:
        if step.text not in steps[-1:]:
            steps.append(step.text)
            self._tell(f"{view.address}: {step.text}")

    def _wait(
        self, view: AddressView, step: MigrationStep, direction: Direction, steps: list[str]
    ) -> AddressView:
        """The view once ``step`` is over, or had its time. Failure 6: it had to come true."""
        is_told = False
        began = self._now()
        limit_s = step.limit_s or self._wait_s
        while True:
            view = self._fresh(view)
            if step.waits_for == "targets":
                view = msgspec.structs.replace(view, is_serving=self.is_serving(view))
            now = next_step(view, direction)
            if now is None or now.waits_for != step.waits_for:
                return view
            if not is_told:
                is_told = True
                self._note(view, step, steps)
            left_s = began + limit_s - self._now()
            if left_s <= 0:
                if step.limit_s:
                    patience: frozenset[Waiting] = view.patience | {step.waits_for}
                    return msgspec.structs.replace(view, patience=patience)
                raise _too_late(view, step, limit_s)
            poll_s = SLOW_POLL_S if step.waits_for == "targets" else POLL_S
            time.sleep(min(poll_s, left_s))

    def is_serving(self, view: AddressView) -> bool:
        """Whether our router could serve the address now."""
        return can_serve(view, self._site.admin.get("/api/v1/services"))

    def _fresh(self, view: AddressView) -> AddressView:
        """The same with the objects as they are now."""
        maps = sorted(
            {name_of(one) for one in view.wanted} | set(view.maps) | set(_documents_of(view))
        )
        place = {
            "service": ("Service", view.address),
            "records": ("ConfigMap", names.MIGRATION_CONFIGMAP),
        }
        if view.release == "v1":
            place["entries"] = ("ConfigMap", names.SERVICES_CONFIGMAP)
            place["controller"] = ("Deployment", names.SKUPPER_SERVICE_CONTROLLER)
        else:
            place["control"] = ("ConfigMap", names.SKUPPER_CONTROL)
            if view.site is not None:
                place["site"] = ("Site", name_of(view.site))
        others = [("ConfigMap", name) for name in maps]
        others += [(str(one["kind"]), name_of(one)) for one in view.annotated]
        found: list[Object | None] = in_parallel(
            lambda one: self._cluster.find(*one), [*place.values(), *others]
        )
        seen = dict(zip(place, found, strict=False))
        rest = found[len(place) :]
        there = zip(maps, rest, strict=False)
        return msgspec.structs.replace(
            view,
            service=seen["service"],
            entries=seen.get("entries"),
            records=seen["records"],
            controller_runs=runs(seen.get("controller")),
            control=seen.get("control"),
            site=seen.get("site"),
            maps={name: one for name, one in there if one is not None},
            annotated=tuple(one for one in rest[len(maps) :] if one is not None),
        )

    def _carried_out(self, step: MigrationStep) -> bool:
        """Do ``step``. False: another client changed an object first; the done part counts."""
        return all([self._change(change) for change in step.changes])

    def _change(self, change: Change) -> bool:
        try:
            if isinstance(change, Delete):
                self._cluster.delete(change.kind, change.name, change.uid)
            elif isinstance(change, Create):
                self._cluster.create(change.body)
            else:
                self._cluster.patch(change.kind, change.name, change.body)
        except ApiFailure as failure:
            if failure.status not in (404, 409):
                raise
            return False
        return True


def can_serve(view: AddressView, ports: Iterable[Mapping[str, Any]]) -> bool:
    """Whether a router whose services have these ``ports`` could serve the address.

    It knows all services, and of each group that needs a target one has it at each of its ports,
    here or elsewhere.
    """
    ready: dict[str, bool] = {}
    for port in ports:
        has_target = any(site.get("targets_ready") for site in port["sites"])
        ready[port["name"]] = ready.get(port["name"], True) and has_target
    return ready.keys() >= set(view.services) and all(
        any(ready.get(name) for name in group) for group in view.needs_targets
    )


def _documents_of(view: AddressView) -> tuple[str, ...]:
    record = record_of(view.records, view.address)
    return record.documents if record is not None else ()


def _too_late(view: AddressView, step: MigrationStep, limit_s: float) -> Failure:
    if step.waits_for == "targets":
        message = (
            f"no target of {view.address} is ready at our router after {limit_s:g} s; nothing was "
            "taken from Skupper, which still serves it"
        )
        hint = f"sitectl service status {view.address}"
    else:
        message = f"Service {view.address} does not lead to our router after {limit_s:g} s"
        hint = "sitectl check says why; or: sitectl migrate --rollback " + view.address
    return timed_out(message, hint)


def refuse(candidate: SkupperAddress | None, name: str, found: SkupperNamespace) -> None:
    """Raise Failure when a service that was named cannot move."""
    if candidate is None:
        known = ", ".join(found.candidates) or "none"
        raise not_found(
            f"Skupper has no service {name!r} here; it has: {known}", "sitectl migrate --plan"
        )
    if candidate.obstacles:
        raise conflict(
            f"{name} cannot move: {'; '.join(candidate.obstacles)}",
            "sitectl migrate --plan",
            code="obstacle",
        )

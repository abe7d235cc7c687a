"""Deployments, ReplicaSets, StatefulSets, DaemonSets and Jobs: the pods that they make."""

import copy
from collections.abc import Iterator
from typing import Any, Final

from tests.kubernetes import selectors
from tests.kubernetes.failures import Failure
from tests.kubernetes.registry import now
from tests.kubernetes.resources import Json
from tests.kubernetes.world import (
    World,
    available_in_s,
    condition,
    is_ending,
    is_over,
    is_owned,
    is_ready,
    owner_of,
    share,
    short_hash,
)

HASH_LABEL: Final = "pod-template-hash"
REVISION: Final = "deployment.kubernetes.io/revision"
FAILURE: Final = "ReplicaFailure"
REVISION_LABEL: Final = "controller-revision-hash"
_OF_ITS_OWN: Final = (REVISION, "kubectl.kubernetes.io/last-applied-configuration")
"""Annotations of a Deployment that its ReplicaSets do not get."""


def pods_of(world: World, owner: Json) -> list[Json]:
    """The pods that an owner controls and that count: neither over nor ending."""
    found = world.all("Pod", owner["metadata"]["namespace"])
    return [pod for pod in found if is_owned(pod, owner) and not is_over(pod)]


def make_pod(world: World, owner: Json, labels: Json, **fields: Any) -> str:
    """Why there is none: a namespace that ends, a name not yet free, or admission refuses it."""
    template = copy.deepcopy(owner["spec"]["template"])
    metadata = {
        key: value
        for key, value in template["metadata"].items()
        if key in ("labels", "annotations")
    }
    metadata["labels"] = {**metadata.get("labels", {}), **labels}
    metadata["ownerReferences"] = [owner_of(owner)]
    name = fields.pop("name", "")
    metadata.update({"name": name} if name else {})
    if not name:
        metadata["generateName"] = f"{owner['metadata']['name']}-"
    pod = {"kind": "Pod", "metadata": metadata, "spec": {**template["spec"], **fields}}
    try:
        world.create("Pod", owner["metadata"]["namespace"], pod)
    except Failure as failure:
        return failure.message
    return ""


def replica_sets(world: World, namespace: str) -> float | None:
    """As many pods as each ReplicaSet wants; its status. Gives when the next is available."""
    waits: list[float] = []
    for found in world.all("ReplicaSet", namespace):
        if is_ending(found):
            continue
        _claim(world, found)
        alive = [pod for pod in pods_of(world, found) if not is_ending(pod)]
        wanted = found["spec"]["replicas"]
        made = (make_pod(world, found, {}) for _missing in range(wanted - len(alive)))
        failure = next(filter(None, made), "")
        too_many = len(alive) - wanted
        if too_many > 0:
            youngest = sorted(
                alive,
                key=lambda pod: (is_ready(pod), -int(pod["metadata"]["resourceVersion"])),
            )
            for pod in youngest[:too_many]:
                world.delete(pod)
        alive = [pod for pod in pods_of(world, found) if not is_ending(pod)]
        ready = sum(map(is_ready, alive))
        world.set_status(
            found,
            replicas=len(alive),
            fullyLabeledReplicas=len(alive),
            readyReplicas=ready,
            availableReplicas=_available_of(found, alive),
            observedGeneration=found["metadata"]["generation"],
            conditions=_with_failure(found, failure),
        )
        waits += _waits(found, alive)
    return min(waits, default=None)


def _claim(world: World, found: Json) -> None:
    """Let go of pods whose labels no longer match, and take those that match and have no owner."""
    matches = selectors.of_object(found["spec"].get("selector"))
    mine = owner_of(found)

    def let_go(pod: Json) -> None:
        owners = pod["metadata"]["ownerReferences"]
        pod["metadata"]["ownerReferences"] = [o for o in owners if o["uid"] != mine["uid"]]

    def take(pod: Json) -> None:
        pod["metadata"].setdefault("ownerReferences", []).append(mine)

    for pod in world.all("Pod", found["metadata"]["namespace"]):
        if is_ending(pod) or is_over(pod):
            continue
        fits = matches(pod["metadata"].get("labels") or {})
        owners = pod["metadata"].get("ownerReferences") or []
        if is_owned(pod, found) and not fits:
            world.change(pod, let_go)
        elif fits and not any(owner.get("controller") for owner in owners):
            world.change(pod, take)


def _with_failure(found: Json, failure: str) -> list[Json]:
    """The conditions of an object whose next pod is refused; without that one if none is."""
    if failure:
        return condition(found, FAILURE, True, "FailedCreate", failure)
    known = (found.get("status") or {}).get("conditions") or []
    return [each for each in known if each["type"] != FAILURE]


def _failure_of(sets: list[Json]) -> str:
    """What keeps a ReplicaSet from its pods; empty: nothing."""
    known = [each for found in sets for each in (found.get("status") or {}).get("conditions") or []]
    return next((each["message"] for each in known if each["type"] == FAILURE), "")


def deployments(world: World, namespace: str) -> float | None:
    """The ReplicaSet of the newest template, filled as the strategy allows; the status.

    Gives when the next pod has been ready for as long as its Deployment wants; None: none is new.
    """
    waits: list[float] = []
    for found in world.all("Deployment", namespace):
        if is_ending(found):
            continue
        sets = [each for each in world.all("ReplicaSet", namespace) if is_owned(each, found)]
        newest = _newest_set(world, found, sets)
        if newest is None:
            continue
        old = [each for each in sets if each["metadata"]["uid"] != newest["metadata"]["uid"]]
        if not found["spec"].get("paused"):
            _roll(world, found, newest, old)
        _forget_old(world, found, old)
        _deployment_status(world, found["metadata"]["name"], namespace)
        pods = [pod for each in sets for pod in pods_of(world, each) if not is_ending(pod)]
        waits += _waits(found, pods)
    return min(waits, default=None)


def _newest_set(world: World, found: Json, sets: list[Json]) -> Json | None:
    template = found["spec"]["template"]
    number = short_hash(template)
    metadata = found["metadata"]
    for each in sets:
        if each["metadata"]["labels"].get(HASH_LABEL) == number:
            _be_newest(world, found, each, sets)
            return each
    if found["spec"].get("paused"):
        return max(sets, key=_revision, default=None)
    revision = str(max(map(_revision, sets), default=0) + 1)
    labels = {**(template["metadata"].get("labels") or {}), HASH_LABEL: number}
    selector = copy.deepcopy(found["spec"]["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), HASH_LABEL: number}
    made = {
        "metadata": {
            "name": f"{metadata['name']}-{number}",
            "labels": labels,
            "annotations": {**_copied(found), REVISION: revision},
            "ownerReferences": [owner_of(found)],
        },
        "spec": {
            "replicas": 0,
            "minReadySeconds": found["spec"].get("minReadySeconds", 0),
            "selector": selector,
            "template": {
                **template,
                "metadata": {**template["metadata"], "labels": labels},
            },
        },
    }

    try:
        newest = world.create("ReplicaSet", metadata["namespace"], made)
    except Failure:  # The namespace ends.
        return None
    _annotate(world, found, {REVISION: revision})
    return newest


def _be_newest(world: World, found: Json, newest: Json, sets: list[Json]) -> None:
    """Give the set that is used again the next revision, and the annotations of its Deployment.

    `kubectl rollout undo` puts those of the older set back into the Deployment.
    """
    others = (each for each in sets if each is not newest)
    revision = str(max(_revision(newest), max(map(_revision, others), default=0) + 1))
    _annotate(world, newest, {**_copied(found), REVISION: revision})
    _annotate(world, found, {REVISION: revision})


def _copied(found: Json) -> dict[str, str]:
    annotations = found["metadata"].get("annotations") or {}
    return {key: value for key, value in annotations.items() if key not in _OF_ITS_OWN}


def _annotate(world: World, found: Json, wanted: dict[str, str]) -> None:
    annotations = found["metadata"].get("annotations") or {}
    if wanted.items() <= annotations.items():
        return

    def note(edited: Json) -> None:
        known = edited["metadata"].get("annotations") or {}
        edited["metadata"]["annotations"] = {**known, **wanted}

    world.change(found, note)


def _revision(found: Json) -> int:
    return int((found["metadata"].get("annotations") or {}).get(REVISION, 0))


def _scale(world: World, found: Json, replicas: int) -> None:
    def edit(edited: Json) -> None:
        if edited["spec"]["replicas"] != replicas:
            edited["spec"]["replicas"] = replicas
            edited["metadata"]["generation"] += 1

    world.change(found, edit)


def _available(world: World, found: Json) -> int:
    """Pods of a ReplicaSet that have been ready for as long as it wants."""
    return _available_of(found, [pod for pod in pods_of(world, found) if not is_ending(pod)])


def _available_of(owner: Json, pods: list[Json]) -> int:
    min_ready_s = owner["spec"].get("minReadySeconds", 0)
    return sum(available_in_s(pod, min_ready_s) == 0 for pod in pods)


def _waits(owner: Json, pods: list[Json]) -> Iterator[float]:
    """Seconds until each pod that is ready, but not yet for long enough, is available."""
    min_ready_s = owner["spec"].get("minReadySeconds", 0)
    return filter(None, (available_in_s(pod, min_ready_s) for pod in pods))


def _roll(world: World, found: Json, newest: Json, old: list[Json]) -> None:
    spec = found["spec"]
    wanted = spec["replicas"]
    old_total = sum(each["spec"]["replicas"] for each in old)
    if spec["strategy"]["type"] == "Recreate":
        for each in old:
            _scale(world, each, 0)
        if not any(pods_of(world, each) for each in old):
            _scale(world, newest, wanted)
        return
    rolling = spec["strategy"]["rollingUpdate"]
    surge = share(rolling["maxSurge"], wanted, up=True)
    unavailable = share(rolling["maxUnavailable"], wanted, up=False)
    if not surge and not unavailable:
        unavailable = 1
    current = newest["spec"]["replicas"]
    room = wanted + surge - old_total - current
    target = wanted if current > wanted else min(wanted, current + max(room, 0))
    _scale(world, newest, target)
    _shrink_old(world, found, newest, old, wanted - unavailable)


def _shrink_old(
    world: World, found: Json, newest: Json, old: list[Json], available_min: int
) -> None:
    """Take away old pods: those that are not available first, then as many as may miss."""
    current = world.get("ReplicaSet", found["metadata"]["namespace"], newest["metadata"]["name"])
    total = sum(each["spec"]["replicas"] for each in old) + (current or newest)["spec"]["replicas"]
    new_available = _available(world, newest)
    new_missing = (current or newest)["spec"]["replicas"] - new_available
    may_go = total - available_min - new_missing
    if may_go <= 0:  # Some pods that must go may still exist.
        return
    for each in sorted(old, key=_revision):
        broken = min(each["spec"]["replicas"] - _available(world, each), max(may_go, 0))
        if broken > 0:
            _scale(world, each, each["spec"]["replicas"] - broken)
            may_go -= broken
    spare = new_available + sum(_available(world, each) for each in old) - available_min
    for each in sorted(old, key=_revision):
        now_set = world.get("ReplicaSet", found["metadata"]["namespace"], each["metadata"]["name"])
        replicas = (now_set or each)["spec"]["replicas"]
        less = min(replicas, max(spare, 0))
        if less > 0:
            _scale(world, each, replicas - less)
            spare -= less


def _forget_old(world: World, found: Json, old: list[Json]) -> None:
    empty = [
        each
        for each in old
        if not each["spec"]["replicas"] and not (each.get("status") or {}).get("replicas")
    ]
    keep = found["spec"]["revisionHistoryLimit"]
    for each in sorted(empty, key=_revision)[: max(len(empty) - keep, 0)]:
        world.delete(each)


def _deployment_status(world: World, name: str, namespace: str) -> None:
    found = world.get("Deployment", namespace, name)
    if found is None:
        return
    sets = [each for each in world.all("ReplicaSet", namespace) if is_owned(each, found)]
    number = short_hash(found["spec"]["template"])
    pods = [pod for each in sets for pod in pods_of(world, each) if not is_ending(pod)]
    updated = [pod for pod in pods if pod["metadata"]["labels"].get(HASH_LABEL) == number]
    ready, available = sum(map(is_ready, pods)), _available_of(found, pods)
    wanted = found["spec"]["replicas"]
    rolling = found["spec"]["strategy"].get("rollingUpdate") or {"maxUnavailable": wanted}
    least = wanted - share(rolling["maxUnavailable"], wanted, up=False)
    is_done = len(updated) == wanted == len(pods) and available >= wanted
    is_enough = available >= least
    conditions = condition(
        found,
        "Available",
        is_enough,
        "MinimumReplicasAvailable" if is_enough else "MinimumReplicasUnavailable",
    )
    found = {**found, "status": {**(found.get("status") or {}), "conditions": conditions}}
    conditions = condition(
        found, "Progressing", True, "NewReplicaSetAvailable" if is_done else "ReplicaSetUpdated"
    )
    found = {**found, "status": {**(found.get("status") or {}), "conditions": conditions}}
    conditions = _with_failure(found, _failure_of(sets))
    world.set_status(
        found,
        observedGeneration=found["metadata"]["generation"],
        replicas=len(pods),
        updatedReplicas=len(updated),
        readyReplicas=ready,
        availableReplicas=available,
        unavailableReplicas=max(wanted - available, 0),
        conditions=conditions,
    )


def daemon_sets(world: World, namespace: str) -> None:
    """A pod on each node."""
    for found in world.all("DaemonSet", namespace):
        if is_ending(found):
            continue
        number = short_hash(found["spec"]["template"])
        nodes = [node["metadata"]["name"] for node in world.all("Node")]
        pods = pods_of(world, found)
        old = [p for p in pods if p["metadata"]["labels"].get(REVISION_LABEL) != number]
        for pod in old[:1] if all(is_ready(p) for p in pods if p not in old) else []:
            world.delete(pod)
        taken = {pod["spec"].get("nodeName") for pod in pods}
        for node in nodes:
            if node not in taken:
                make_pod(world, found, {REVISION_LABEL: number}, nodeName=node)
        alive = [pod for pod in pods_of(world, found) if not is_ending(pod)]
        ready = sum(map(is_ready, alive))
        world.set_status(
            found,
            currentNumberScheduled=len(alive),
            desiredNumberScheduled=len(nodes),
            numberAvailable=ready,
            numberMisscheduled=0,
            numberReady=ready,
            updatedNumberScheduled=sum(
                p["metadata"]["labels"].get(REVISION_LABEL) == number for p in alive
            ),
            observedGeneration=found["metadata"]["generation"],
        )


def jobs(world: World, namespace: str) -> None:
    """Pods until enough have succeeded or too many failed."""
    for found in world.all("Job", namespace):
        conditions = (found.get("status") or {}).get("conditions") or []
        if is_ending(found) or any(each["status"] == "True" for each in conditions):
            continue
        pods = [pod for pod in world.all("Pod", namespace) if is_owned(pod, found)]
        done = sum(pod["status"].get("phase") == "Succeeded" for pod in pods)
        failed = sum(pod["status"].get("phase") == "Failed" for pod in pods)
        active = len(pods) - done - failed
        spec = found["spec"]
        names = {"batch.kubernetes.io/job-name": found["metadata"]["name"]}
        names["job-name"] = found["metadata"]["name"]
        fields: Json = {"active": active, "succeeded": done, "failed": failed}
        fields["startTime"] = (found.get("status") or {}).get("startTime", now())
        if done >= spec["completions"]:
            fields["completionTime"] = now()
            fields["conditions"] = condition(found, "Complete", True, "CompletionsReached")
        elif failed > spec["backoffLimit"]:
            fields["conditions"] = condition(found, "Failed", True, "BackoffLimitExceeded")
        else:
            missing = min(spec["parallelism"], spec["completions"] - done) - active
            for _each in range(missing):
                make_pod(world, found, names)
            fields["active"] = active + max(missing, 0)
        world.set_status(found, **fields)


def selects(found: Json, labels: dict[str, str]) -> bool:
    """Whether a workload's selector matches."""
    return selectors.of_object(found["spec"].get("selector"))(labels)

"""StatefulSets: pods with names that stay, one after the other."""

from tests.kubernetes.failures import Failure
from tests.kubernetes.resources import Json
from tests.kubernetes.workloads import REVISION_LABEL, make_pod, pods_of
from tests.kubernetes.world import World, is_ending, is_ready, short_hash


def stateful_sets(world: World, namespace: str) -> None:
    """``NAME-0 … NAME-(replicas-1)``, made in order, taken away from the end."""
    for found in world.all("StatefulSet", namespace):
        if not is_ending(found):
            revision = f"{found['metadata']['name']}-{short_hash(found['spec']['template'])}"
            _fill(world, found, revision)
            _status(world, found, revision)


def _number(pod: Json) -> int:
    return int(pod["metadata"]["name"].rpartition("-")[2])


def _fill(world: World, found: Json, revision: str) -> None:
    wanted = found["spec"]["replicas"]
    pods = {_number(pod): pod for pod in pods_of(world, found)}
    in_order = found["spec"]["podManagementPolicy"] == "OrderedReady"
    for number in range(wanted):
        if number not in pods:
            _make(world, found, number, revision)
            if in_order:
                return
        elif in_order and (not is_ready(pods[number]) or is_ending(pods[number])):
            return
    beyond = sorted((number for number in pods if number >= wanted), reverse=True)
    for number in beyond[:1] if in_order else beyond:
        if not is_ending(pods[number]):
            world.delete(pods[number])
    if beyond or found["spec"]["updateStrategy"]["type"] != "RollingUpdate":
        return
    partition = (found["spec"]["updateStrategy"].get("rollingUpdate") or {}).get("partition", 0)
    for number in range(wanted - 1, partition - 1, -1):
        pod = pods[number]
        if pod["metadata"]["labels"].get(REVISION_LABEL) != revision:
            if not is_ending(pod):
                world.delete(pod)
            return
        if not is_ready(pod):
            return


def _make(world: World, found: Json, number: int, revision: str) -> None:
    metadata = found["metadata"]
    name = f"{metadata['name']}-{number}"
    labels = {
        REVISION_LABEL: revision,
        "statefulset.kubernetes.io/pod-name": name,
        "apps.kubernetes.io/pod-index": str(number),
    }
    volumes = list(found["spec"]["template"]["spec"].get("volumes") or [])
    for template in found["spec"].get("volumeClaimTemplates") or []:
        claim = f"{template['metadata']['name']}-{name}"
        if world.get("PersistentVolumeClaim", metadata["namespace"], claim) is None:
            made = {"metadata": {"name": claim}, "spec": template.get("spec") or {}}
            try:
                world.create("PersistentVolumeClaim", metadata["namespace"], made)
            except Failure:  # The namespace ends.
                return
        volume = {"name": template["metadata"]["name"]}
        volumes.append({**volume, "persistentVolumeClaim": {"claimName": claim}})
    further = {"volumes": volumes} if volumes else {}
    if found["spec"].get("serviceName"):
        further["subdomain"] = found["spec"]["serviceName"]
    make_pod(world, found, labels, name=name, hostname=name, **further)


def _status(world: World, found: Json, revision: str) -> None:
    alive = [pod for pod in pods_of(world, found) if not is_ending(pod)]
    new = [pod for pod in alive if pod["metadata"]["labels"].get(REVISION_LABEL) == revision]
    ready = sum(map(is_ready, alive))
    is_done = len(new) == len(alive) == found["spec"]["replicas"] == ready
    old_revision = (found.get("status") or {}).get("currentRevision", revision)
    world.set_status(
        found,
        observedGeneration=found["metadata"]["generation"],
        replicas=len(alive),
        readyReplicas=ready,
        availableReplicas=ready,
        currentReplicas=len(new) if is_done else len(alive) - len(new),
        updatedReplicas=len(new),
        updateRevision=revision,
        currentRevision=revision if is_done else old_revision,
        collisionCount=0,
    )

"""Containers as real processes: their environment, how they are probed, restarted and ended."""

import asyncio
import json
import os
import re
import socket
import subprocess
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from lightkube import ApiError, AsyncClient, KubeConfig

from tests.kubernetes.cluster import Cluster
from tests.kubernetes.manifests import ECHO, HOST, Json, pod_template
from tests.kubernetes.probes import Prober
from tests.scenario.harness import is_alive
from tests.scenario.waiting import own_time, until


def run(cluster: Cluster, name: str, *containers: Json, **spec: Any) -> None:
    """Create a pod."""
    made = pod_template(name)
    made["metadata"]["name"] = name
    made["spec"] |= {"containers": list(containers), **spec}
    cluster.create_object({"kind": "Pod", **made})


def shell(name: str, script: str, **further: Any) -> Json:
    """A container with a shell script."""
    return {"name": name, "image": HOST, "command": ["sh", "-c", script], **further}


def status(cluster: Cluster, name: str) -> Json:
    """The pod's status."""
    return (cluster.get("Pod", name) or {}).get("status") or {}


def is_ready(cluster: Cluster, name: str) -> bool:
    """The pod's Ready condition."""
    conditions = status(cluster, name).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def printed(cluster: Cluster, text: str) -> bool:
    """Whether any container printed it."""
    return text in cluster.logs()


def test_a_container_finds_its_variables_and_files(cluster: Cluster) -> None:
    cluster.create("Secret", "s", stringData={"key": "from-secret", "extra": "x"})
    cluster.create("ConfigMap", "c", data={"key": "from-config", "MODE": "env-from"})
    field = {"fieldRef": {"fieldPath": "status.podIP"}}
    env = [
        {"name": "NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "IP", "valueFrom": field},
        {"name": "LABEL", "valueFrom": {"fieldRef": {"fieldPath": "metadata.labels['app']"}}},
        {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "key"}}},
        {
            "name": "NONE",
            "valueFrom": {"configMapKeyRef": {"name": "no", "key": "k", "optional": True}},
        },
        {"name": "MEMORY", "valueFrom": {"resourceFieldRef": {"resource": "limits.memory"}}},
        {"name": "BOTH", "value": "$(NAME)/$(SECRET)/$$(NAME)"},
    ]
    script = "echo $NAME $IP $LABEL $SECRET ${NONE-none} $MEMORY $BOTH $MODE; cat /etc/c/k /etc/s/*"
    main = shell(
        "main",
        f"{script}; exec sleep 60",
        env=env,
        envFrom=[{"configMapRef": {"name": "c"}}],
        resources={"limits": {"memory": "64Mi"}},
        volumeMounts=[
            {"name": "c", "mountPath": "/etc/c"},
            {"name": "s", "mountPath": "/etc/s"},
        ],
    )
    items = [{"key": "key", "path": "k"}]
    volumes = [
        {"name": "c", "configMap": {"name": "c", "items": items}},
        {"name": "s", "projected": {"sources": [{"secret": {"name": "s"}}]}},
    ]
    run(cluster, "one", main, volumes=volumes)
    until(lambda: printed(cluster, "from-configxfrom-secret"), "it printed its files")
    address = status(cluster, "one")["podIP"]
    line = f"one {address} one from-secret none 67108864 one/from-secret/$(NAME) env-from"
    assert printed(cluster, line)


def test_a_pod_waits_for_what_it_mounts_and_follows_it(cluster: Cluster) -> None:
    loop = "while :; do cat /etc/s/k 2>/dev/null; sleep 0.05; done"
    mount = {"name": "s", "mountPath": "/etc/s"}
    secret = {"name": "s", "secret": {"secretName": "late"}}
    run(cluster, "one", shell("main", loop, volumeMounts=[mount]), volumes=[secret])
    until(
        lambda: any(each["reason"] == "FailedMount" for each in cluster.list("Event")), "an Event"
    )
    assert status(cluster, "one")["phase"] == "Pending"
    cluster.create("Secret", "late", stringData={"k": "first\n"})
    until(lambda: printed(cluster, "first"), "it is mounted")
    cluster.patch("Secret", "late", {"stringData": {"k": "second\n"}})
    until(lambda: printed(cluster, "second"), "the change arrives")


def test_a_missing_variable_is_a_container_that_cannot_be_created(cluster: Cluster) -> None:
    env = [{"name": "K", "valueFrom": {"secretKeyRef": {"name": "late", "key": "k"}}}]
    run(cluster, "one", shell("main", "echo got $K; exec sleep 60", env=env))
    until(
        lambda: "CreateContainerConfigError" in str(status(cluster, "one")), "it waits for the key"
    )
    cluster.create("Secret", "late", stringData={"k": "it"})
    until(lambda: printed(cluster, "got it"), "it runs")


def test_a_pod_reaches_the_api_as_its_service_account(cluster: Cluster) -> None:
    cluster.create("ServiceAccount", "router")
    rule = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get"]}
    cluster.create("Role", "router", rules=[rule])
    cluster.create(
        "RoleBinding",
        "router",
        roleRef={"kind": "Role", "name": "router", "apiGroup": "rbac.authorization.k8s.io"},
        subjects=[{"kind": "ServiceAccount", "name": "router", "namespace": "default"}],
    )
    cluster.create("ConfigMap", "c", data={"k": "read by the pod"})
    script = (
        "kubectl get configmap c -o 'jsonpath={.data.k}'; kubectl get secrets; "
        "cat /var/run/secrets/kubernetes.io/serviceaccount/namespace; exec sleep 60"
    )
    run(cluster, "one", shell("main", script), serviceAccountName="router")
    until(lambda: printed(cluster, "read by the pod"), "the pod reads the ConfigMap")
    until(lambda: printed(cluster, "default:router"), "and is refused what its Role lacks")


def test_probes_decide_readiness_and_restarts(cluster: Cluster) -> None:
    ready = {"exec": {"command": ["test", "-e", "/data/ready"]}, "periodSeconds": 1}
    alive = {
        "exec": {"command": ["sh", "-c", "! test -e /data/sick"]},
        "periodSeconds": 1,
        "failureThreshold": 1,
    }
    main = shell(
        "main",
        "rm -f /data/sick; echo begun; exec sleep 60",
        readinessProbe=ready,
        livenessProbe=alive,
        volumeMounts=[{"name": "d", "mountPath": "/data"}],
    )
    run(cluster, "one", main, volumes=[{"name": "d", "emptyDir": {}}])
    until(lambda: status(cluster, "one").get("phase") == "Running", "it runs")
    assert not is_ready(cluster, "one")
    execute(cluster, "one", "touch", "/data/ready")
    until(lambda: is_ready(cluster, "one"), "it is ready")
    execute(cluster, "one", "touch", "/data/sick")
    until(lambda: restarts(cluster, "one") == 1, "it was restarted")
    until(lambda: is_ready(cluster, "one"), "it is ready again")
    last = status(cluster, "one")["containerStatuses"][0]["lastState"]["terminated"]
    assert last["exitCode"] == 143


def test_the_initial_delay_of_a_probe_counts_from_the_start_of_the_container() -> None:
    async def first_outcome() -> bool:
        outcome: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

        async def check() -> bool:
            return True

        probe = {"initialDelaySeconds": 3600, "periodSeconds": 3600, "successThreshold": 1}
        prober = Prober({**probe, "failureThreshold": 1}, 1.0, check, kills=False)
        began = asyncio.get_running_loop().time() - 3600  # A startup probe took as long.
        async with asyncio.timeout(60.0), asyncio.TaskGroup() as tasks:
            running = tasks.create_task(prober.run(outcome.set_result, began))
            found = await outcome
            running.cancel()
        return found

    assert asyncio.run(first_outcome())


def test_http_and_tcp_probes_reach_the_pods_own_address(cluster: Cluster) -> None:
    port = {"name": "http", "containerPort": 8080}
    web = {
        "name": "main",
        "image": ECHO,
        "ports": [port],
        "startupProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1},
        "readinessProbe": {"httpGet": {"port": "http", "path": "/ready"}},
    }
    for name in ("a", "b"):
        run(cluster, name, web)
    for name in ("a", "b"):
        until(lambda name=name: is_ready(cluster, name), f"{name} is ready")  # type: ignore[misc]
        address = status(cluster, name)["podIP"]
        with urllib.request.urlopen(f"http://{address}:8080/x") as answer:
            assert json.load(answer) == {"pod": name, "path": "/x"}
    assert printed(cluster, "GET /ready")


def test_init_containers_and_sidecars_come_first_and_sidecars_leave_last(
    cluster: Cluster,
) -> None:
    mounts = [{"name": "d", "mountPath": "/data"}]

    def logged(name: str, wait: str) -> Json:
        script = (
            f"trap 'sleep 0.1; echo {name} ends >>/data/log; exit 0' TERM; "
            f"echo {name} begins >>/data/log; touch /data/{name}; {wait}"
        )
        return shell(name, script, volumeMounts=mounts)

    forever = "while :; do sleep 0.02; done"
    sidecar = {
        **logged("sidecar", forever),
        "restartPolicy": "Always",
        "startupProbe": {
            "exec": {"command": ["test", "-e", "/data/sidecar"]},
            "periodSeconds": 1,
        },
    }
    claim = {"name": "d", "persistentVolumeClaim": {"claimName": "data"}}
    run(
        cluster,
        "one",
        logged("app", forever),
        initContainers=[logged("init", ":"), sidecar],
        volumes=[claim],
        terminationGracePeriodSeconds=5,
    )
    until(lambda: is_ready(cluster, "one"), "it is ready")
    log = cluster.state / "pods" / "claims" / "default" / "data" / "log"
    until(lambda: "app begins" in log.read_text(), "the app began")
    cluster.delete("Pod", "one")
    until(lambda: cluster.get("Pod", "one") is None, "it is gone")
    assert log.read_text().splitlines() == [
        "init begins",
        "sidecar begins",
        "app begins",
        "app ends",
        "sidecar ends",
    ]


def test_a_job_like_pod_ends_its_sidecars_and_is_over(cluster: Cluster) -> None:
    sidecar = {**shell("sidecar", "exec sleep 60"), "restartPolicy": "Always"}
    run(cluster, "good", shell("main", "exit 0"), initContainers=[sidecar], restartPolicy="Never")
    run(cluster, "bad", shell("main", "exit 3"), restartPolicy="Never")
    until(lambda: status(cluster, "good").get("phase") == "Succeeded", "one succeeded")
    until(lambda: status(cluster, "bad").get("phase") == "Failed", "one failed")
    ended = status(cluster, "bad")["containerStatuses"][0]["state"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (3, "Error")


def test_a_command_that_is_not_there_ends_no_other_pod(cluster: Cluster) -> None:
    run(cluster, "bad", {"name": "main", "image": HOST, "command": ["/no/such"]})
    run(cluster, "none", {"name": "main", "image": HOST})
    until(lambda: "RunContainerError" in str(status(cluster, "bad")), "it cannot start")
    until(lambda: "RunContainerError" in str(status(cluster, "none")), "there is none to start")
    run(cluster, "good", shell("main", "exec sleep 60"))
    until(lambda: is_ready(cluster, "good"), "the kubelet goes on")
    cluster.delete("Pod", "bad")
    until(lambda: cluster.get("Pod", "bad") is None, "it can be deleted")


def test_a_cluster_that_closes_ends_hooks_too(tmp_path: Path) -> None:
    hook = {"preStop": {"exec": {"command": ["sh", "-c", f"echo $$ >{tmp_path}/pid; sleep 60"]}}}
    with Cluster(tmp_path / "cluster") as cluster:
        run(cluster, "one", shell("main", "exec sleep 60", lifecycle=hook))
        until(lambda: is_ready(cluster, "one"), "it runs")
        cluster.delete("Pod", "one")
        until((tmp_path / "pid").exists, "its hook runs")
        until(lambda: (tmp_path / "pid").read_text(), "its id is known")
    assert not is_alive(int((tmp_path / "pid").read_text()))


def test_a_crash_loops_with_its_count(cluster: Cluster) -> None:
    run(cluster, "one", shell("main", "echo crashing; exit 2"))
    until(lambda: restarts(cluster, "one") >= 2, "it was restarted")
    until(lambda: "CrashLoopBackOff" in str(status(cluster, "one")), "it backs off")


def test_a_container_that_does_not_listen_is_killed_after_its_grace(cluster: Cluster) -> None:
    stubborn = "trap '' TERM; echo begun; while :; do sleep 0.05; done"
    run(cluster, "one", shell("main", stubborn), terminationGracePeriodSeconds=1)
    until(lambda: printed(cluster, "begun"), "it runs")
    begun, begun_own = time.monotonic(), own_time()
    cluster.delete("Pod", "one")
    until(lambda: cluster.get("Pod", "one") is None, "it is gone")
    assert time.monotonic() - begun >= 0.9
    assert own_time() - begun_own < 5


def test_the_hook_before_the_end_runs_first(cluster: Cluster) -> None:
    hook = {"preStop": {"exec": {"command": ["sh", "-c", "echo hook >>/data/log"]}}}
    script = "trap 'echo term >>/data/log; exit 0' TERM; echo begun; while :; do sleep 0.02; done"
    main = shell("main", script, lifecycle=hook, volumeMounts=[{"name": "d", "mountPath": "/data"}])
    claim = {"name": "d", "persistentVolumeClaim": {"claimName": "data"}}
    run(cluster, "one", main, volumes=[claim], terminationGracePeriodSeconds=5)
    until(lambda: printed(cluster, "begun"), "it runs")
    cluster.delete("Pod", "one")
    until(lambda: cluster.get("Pod", "one") is None, "it is gone")
    log = cluster.state / "pods" / "claims" / "default" / "data" / "log"
    assert log.read_text().split() == ["hook", "term"]


def test_the_hook_after_the_start_holds_the_next_container_back(cluster: Cluster) -> None:
    hook = {"postStart": {"exec": {"command": ["sh", "-c", "sleep 0.3; echo hook >>/data/log"]}}}
    mounts = [{"name": "d", "mountPath": "/data"}]
    first = shell("a", "echo a >>/data/log; exec sleep 60", lifecycle=hook, volumeMounts=mounts)
    second = shell("b", "echo b >>/data/log; exec sleep 60", volumeMounts=mounts)
    claim = {"name": "d", "persistentVolumeClaim": {"claimName": "data"}}
    run(cluster, "one", first, second, volumes=[claim])
    until(lambda: is_ready(cluster, "one"), "it is ready")
    log = cluster.state / "pods" / "claims" / "default" / "data" / "log"
    until(lambda: "b" in log.read_text(), "the second began")
    assert log.read_text().split() == ["a", "hook", "b"]


def test_loopback_names_of_a_pod_lead_to_addresses_of_its_own(cluster: Cluster) -> None:
    aliases = [{"ip": "127.0.0.2", "hostnames": ["db"]}, {"ip": "10.9.9.9", "hostnames": ["far"]}]
    script = "echo $0; cat $POD_HOSTS; exec sleep 60"
    for name in ("one", "two"):
        main = {"name": "main", "image": HOST, "command": ["sh", "-c", script, "db=127.0.0.2:80"]}
        run(cluster, name, main, hostAliases=aliases)
    until(lambda: cluster.logs().count("10.9.9.9 far") == 2, "they printed their names")
    addresses = re.findall(r"db=([0-9.]+):80\n# Entries.*\n\1 db\n", cluster.logs())
    assert len(set(addresses)) == 2 and "127.0.0.2" not in addresses


def test_deleting_with_force_kills_at_once(cluster: Cluster) -> None:
    run(cluster, "one", shell("main", "trap '' TERM; echo begun; while :; do sleep 1; done"))
    until(lambda: printed(cluster, "begun"), "it runs")
    cluster.delete("Pod", "one", gracePeriodSeconds=0)
    assert cluster.get("Pod", "one") is None
    until(lambda: not cluster.call(lambda: list(cluster.kubelet.running())), "it is dead")


def test_a_readiness_gate_holds_the_pod_back(cluster: Cluster) -> None:
    gates = [{"conditionType": "example.test/gate"}]
    run(cluster, "one", shell("main", "exec sleep 60"), readinessGates=gates)
    until(lambda: status(cluster, "one").get("phase") == "Running", "it runs")
    assert not is_ready(cluster, "one")
    conditions = status(cluster, "one")["conditions"]
    conditions = [*conditions, {"type": "example.test/gate", "status": "True"}]
    cluster.patch("Pod", "one", {"status": {"conditions": conditions}}, part="status")
    until(lambda: is_ready(cluster, "one"), "the gate is open")


def test_lightkube_executes_commands(cluster: Cluster) -> None:
    run(cluster, "one", shell("main", "exec sleep 60"))
    until(lambda: is_ready(cluster, "one"), "it is ready")
    config = KubeConfig.from_file(cluster.kubeconfig()).get()
    command = ["sh", "-c", "cat; echo err >&2; exit 4"]

    async def both() -> tuple[Any, Any]:
        client = AsyncClient(config, trust_env=False)
        one, place = "one", "default"
        fed = await client.exec(
            one, command=command, namespace=place, stdin=b"fed", stdout=True, stderr=True
        )
        said = await client.exec(one, command=["echo", "hello"], namespace=place, stdout=True)
        with pytest.raises(ApiError):
            await client.exec(
                one, command=["false"], namespace=place, stdout=True, raise_on_error=True
            )
        await client.close()
        return fed, said

    fed, said = asyncio.run(both())
    assert (fed.exit_code, fed.stdout, fed.stderr) == (4, "fed", "err\n")
    assert said.stdout == "hello\n"


def test_pods_of_two_clusters_never_meet(cluster: Cluster, tmp_path: Path) -> None:
    with Cluster(tmp_path / "other") as other:
        for each in (cluster, other):
            run(each, "one", {"name": "main", "image": ECHO})
        addresses = set()
        for each in (cluster, other):
            until(lambda each=each: is_ready(each, "one"), "it is ready")  # type: ignore[misc]
            addresses.add(status(each, "one")["podIP"])
        assert len(addresses) == 2


@pytest.mark.programs("kubectl")
def test_a_command_that_still_runs_ends_with_its_client_or_with_the_cluster(
    tmp_path: Path,
) -> None:
    with Cluster(tmp_path) as cluster:
        run(cluster, "one", shell("main", "exec sleep 60"))
        until(lambda: is_ready(cluster, "one"), "it is ready")
        marks = [tmp_path / "a", tmp_path / "b"]
        clients = [
            subprocess.Popen(
                ["kubectl", "exec", "one", "--", "sh", "-c", f"echo $$ >{mark}; exec sleep 60"],
                env={
                    "PATH": os.environ["PATH"],
                    "KUBECONFIG": str(cluster.kubeconfig()),
                    "HOME": str(tmp_path),
                },
                stderr=subprocess.DEVNULL,
            )
            for mark in marks
        ]
        pids = [until(lambda m=mark: m.exists() and m.read_text(), "it runs") for mark in marks]  # type: ignore[misc]
        clients[0].kill()
        until(lambda: not is_alive(int(pids[0])), "the command ends with its client")
        assert is_alive(int(pids[1]))
    assert not is_alive(int(pids[1]))
    for client in clients:
        client.wait(10)


def test_no_process_is_left_when_the_cluster_is_closed(tmp_path: Path) -> None:
    with Cluster(tmp_path) as cluster:
        run(cluster, "one", {"name": "main", "image": ECHO})
        until(lambda: is_ready(cluster, "one"), "it is ready")
        address = status(cluster, "one")["podIP"]
        until(lambda: _connects(address), "it listens")
    assert not _connects(address)


def execute(cluster: Cluster, name: str, *words: str) -> None:
    """Run a command in a pod's only container."""
    container = cluster.call(lambda: cluster.kubelet.container("default", name, ""))
    assert cluster.await_(container.run(list(words), 5.0))


def restarts(cluster: Cluster, name: str) -> int:
    """How often the first container was restarted."""
    found = status(cluster, name).get("containerStatuses") or [{"restartCount": 0}]
    return int(found[0]["restartCount"])


def _connects(address: str) -> bool:
    try:
        with socket.create_connection((address, 8080), timeout=1):
            return True
    except OSError:
        return False

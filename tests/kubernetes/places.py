"""Namespaces as their users see them: sites by the site controller, clients of Services.

A client goes where kube-proxy would take it: Service, EndpointSlice, address and port of a pod.
"""

import http.client
import json
import random
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from router.kubernetes.manifests import IMAGE, controller_objects
from router.kubernetes.manifests.parts import from_field
from router.kubernetes.objects import names
from router.model import limits
from tests.kubernetes import commands
from tests.kubernetes.cluster import Cluster
from tests.kubernetes.commands import Commands
from tests.kubernetes.endpoints import SERVICE_NAME
from tests.kubernetes.images import Image
from tests.kubernetes.resources import Json, duplicate
from tests.kubernetes.threads import Beside
from tests.kubernetes.world import is_ready
from tests.scenario.waiting import own_time, until

START_S: Final = 30.0
QUIET_S: Final = 1.0
EVENTS_S: Final = limits.OBJECT_EVENT_AFTER_S + limits.OBJECT_EVENTS_EVERY_S
"""So much later than its cause an Event is written: they wait, and are written some at a time."""
ASK_TIMEOUT_S: Final = 10.0
CONTROLLER_NAMESPACE: Final = "spillway-controller"

_SHOP: Final = """
import http.server, os, signal, socketserver, threading, time
busy, lock = 0, threading.Lock()
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        global busy
        with lock:
            busy += 1
        try:
            if self.path.startswith("/slow/"):
                time.sleep(float(self.path[6:]))
            body = os.environ["HOSTNAME"].encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        finally:
            with lock:
                busy -= 1
    def log_message(self, *words):
        pass
class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads, request_queue_size = True, 100
server = Server((os.environ["POD_IP"], 8080), Handler)
def end():
    server.shutdown()
    server.server_close()
    while busy:
        time.sleep(0.01)
    os._exit(0)
signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=end).start())
server.serve_forever()
threading.Event().wait()
"""
IMAGES: Final = {
    **commands.IMAGES,
    "*example/shop*": Image(entrypoint=(sys.executable, "-c", _SHOP)),
}
"""The shop answers ``/slow/SECONDS`` after that time; told to end, it ends the requests begun."""


class Place:
    """A namespace and its users' commands in it."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self.namespace = cluster, namespace
        cluster.create("Namespace", namespace)
        self.commands = Commands(cluster, namespace, cluster.state / f"home-{namespace}")

    def apply(self, *manifests: str | Json) -> None:
        """``kubectl apply`` of YAML texts or objects."""
        texts = (each if isinstance(each, str) else json.dumps(each) for each in manifests)
        self.commands.kubectl("apply", "-f", "-", stdin="\n---\n".join(texts))

    def get(self, kind: str, name: str) -> Json | None:
        """An object; None: there is none."""
        return self.cluster.get(kind, name, self.namespace)

    def router_pods(self) -> list[Json]:
        """The routers' pods that are ready."""
        selector = {names.COMPONENT_LABEL: names.COMPONENT_ROUTER}.items()
        return [
            pod
            for pod in self.cluster.list("Pod", self.namespace)
            if selector <= pod["metadata"]["labels"].items() and is_ready(pod)
        ]

    def starts(self) -> "Place":
        """Returns once its router is ready."""
        until(self.router_pods, f"the router of {self.namespace} is ready", START_S)
        return self

    def router(self, *words: str, pod: str = "") -> Any:
        """What ``sitectl WORDS -o json`` in a router's pod says, also when it finds fault (3)."""
        line = ("kubectl", "exec", self._router(pod), "--", "sitectl", *words, "-o", "json")
        done = self.commands.run(*line)
        assert done.returncode in (0, 3), f"{words}: {done.stdout}{done.stderr}"
        return _told(done.stdout)

    def router_polled(self, *words: str) -> Any:
        """The same without a `kubectl`, for questions that are asked again and again."""
        line = ("sitectl", *words, "-o", "json")
        code, out, err = self.cluster.run_in(self.namespace, self._router(), *line)
        assert code in (0, 3), f"{words}: {out}{err}"
        return _told(out)

    def _router(self, pod: str = "") -> str:
        return pod or str(self.router_pods()[0]["metadata"]["name"])

    def doors(self, service: str, port: int = 80) -> list[tuple[str, int]]:
        """Where kube-proxy takes clients of ``service:port``."""
        found = self.get("Service", service)
        ports = found["spec"].get("ports") or [] if found else []
        wanted = [each.get("name", "") for each in ports if each["port"] == port]
        return [
            (address, entry["port"])
            for each in self.cluster.list("EndpointSlice", self.namespace)
            if (each["metadata"].get("labels") or {}).get(SERVICE_NAME) == service
            for entry in each.get("ports") or []
            if entry.get("name", "") in wanted
            for endpoint in each.get("endpoints") or []
            if (endpoint.get("conditions") or {}).get("ready", True)
            for address in endpoint["addresses"]
        ]

    def ask(self, service: str, path: str = "/", port: int = 80) -> str:
        """The body of an answer 200; OSError: anything else."""
        doors = self.doors(service, port)
        if not doors:
            raise ConnectionRefusedError(f"{service}:{port} of {self.namespace} leads nowhere")
        return fetch(random.choice(doors), path, service)

    def pod_that_answers(self, service: str, port: int = 80) -> str:
        """The pod; empty: none."""
        try:
            return self.ask(service, port=port)
        except OSError:
            return ""

    def answers(self, service: str, by: str = "", port: int = 80) -> str:
        """Waits for an answer (of a pod whose name begins with ``by``); its pod."""

        def look() -> str:
            found = self.pod_that_answers(service, port)
            return found if found.startswith(by) else ""

        return until(look, f"{service} answers in {self.namespace} by {by or 'any'}", START_S)

    def at_once(self, service: str, count: int, path: str) -> Counter[str]:
        """``count`` requests side by side, a moment apart: who answered, by Deployment."""
        pods = self.pods_at_once(service, count, path, apart_s=0.05)
        found: Counter[str] = Counter()
        for pod, answered in pods.items():
            found[pod.rsplit("-", 2)[0]] += answered
        return found

    def pods_at_once(
        self, service: str, count: int, path: str, *, apart_s: float = 0.0
    ) -> Counter[str]:
        """``count`` requests side by side: the pods that answered."""
        with ThreadPoolExecutor(count) as pool:
            answers = []
            for _ in range(count):
                answers.append(pool.submit(self.ask, service, path))
                time.sleep(apart_s)  # Each finds the ones before it counted.
            return Counter(each.result() for each in answers)


def _told(text: str) -> Any:
    envelope = json.loads(text)
    return envelope["item"] if "item" in envelope else envelope["items"]


def fetch(door: tuple[str, int], path: str, host: str) -> str:
    """One request on a new connection; OSError: it got no whole answer 200."""
    connection = http.client.HTTPConnection(*door, timeout=ASK_TIMEOUT_S)
    try:
        connection.request("GET", path, headers={"Host": host})
        answer = connection.getresponse()
        body = answer.read().decode()
    except http.client.HTTPException as error:
        raise ConnectionError(repr(error)) from error
    finally:
        connection.close()
    if answer.status != 200:
        raise ConnectionError(f"{answer.status} {body[:200]}")
    return body


class Load(Beside):
    """Clients of a Service, one request after the other, each on a new connection.

    They see endpoints up to twice ``lag_s`` late, as nodes do. ``failed``: requests that got no
    whole answer.
    """

    def __init__(
        self, place: Place, service: str, *, clients: int = 2, path: str = "/", lag_s: float = 0.3
    ) -> None:
        self.name = f"{service} in {place.namespace}"
        self.pods: Counter[str] = Counter()
        self.failed: list[str] = []
        self._place, self._service, self._path = place, service, path
        self._lag_s = lag_s
        self._doors = place.doors(service)
        super().__init__([self._follow, *[self._work] * clients])

    @property
    def count(self) -> int:
        """Requests that ended."""
        return self.pods.total() + len(self.failed)

    def goes_on(self, count: int = 20) -> None:
        """Returns when so many further requests were answered."""
        wanted = self.pods.total() + count
        until(lambda: self.pods.total() >= wanted or len(self.failed) > 20, "load goes on", START_S)

    def _follow(self) -> None:
        while not self.stop.is_set():
            doors = self._place.doors(self._service)
            self.stop.wait(self._lag_s)
            self._doors = doors or self._doors

    def _work(self) -> None:
        while not self.stop.is_set():
            began, door = time.time(), random.choice(self._doors)
            try:
                self.pods[fetch(door, self._path, self._service)] += 1
            except OSError as error:
                at = time.strftime("%T", time.gmtime(began)) + f"{began % 1:.3f}"[1:]
                took_s = time.time() - began
                self.failed.append(f"{at} {door} {error!r} in {took_s:.2f} s")
            self.stop.wait(0.005)


def writes(cluster: Cluster, since: int, kind: str = "") -> list[tuple[str, str, str]]:
    """What routers and the site controller wrote, or tried to: (user, verb, name)."""
    return [
        (one.user, one.wanted.verb, f"{one.wanted.resource.kind}/{one.wanted.name}")
        for one in cluster.faults.seen[since:]
        if one.wanted.is_write
        and "spillway" in one.user
        and one.wanted.resource.kind not in ("Lease", "SelfSubjectAccessReview")
        and kind in ("", one.wanted.resource.kind)
    ]


def settled(cluster: Cluster) -> int:
    """Returns once routers and controller wrote nothing for a while; ``len(faults.seen)`` then.

    For as long as Events may be late, by any clock; and then for longer where processes wait for
    a processor.
    """
    mark, since, own_since = len(cluster.faults.seen), time.monotonic(), own_time()

    def quiet() -> bool:
        nonlocal mark, since, own_since
        if writes(cluster, mark):
            mark, since = len(cluster.faults.seen), time.monotonic()
        if time.monotonic() - since <= EVENTS_S:
            own_since = own_time()
        return own_time() - own_since > QUIET_S

    until(quiet, "nobody writes", START_S + EVENTS_S)
    return mark


def install_controller(cluster: Cluster) -> None:
    """The site controller of the whole cluster, in a pod, as its administrator installs it."""
    cluster.create("Namespace", CONTROLLER_NAMESPACE)
    for found in controller_objects(
        namespace=CONTROLLER_NAMESPACE, image=IMAGE, every_namespace=True
    ):
        made = duplicate(dict(found))
        if found["kind"] == "Deployment":  # The image of the tests keeps to the pod's address.
            (container,) = made["spec"]["template"]["spec"]["containers"]
            container["env"].append(from_field("POD_IP", "status.podIP"))
        cluster.create_object(made, CONTROLLER_NAMESPACE)


def copied(found: Json) -> Json:
    """A Secret as tools that sync Secrets between clusters write it."""
    metadata = {key: found["metadata"].get(key) or {} for key in ("labels", "annotations")}
    kept = {k: v for k, v in metadata["annotations"].items() if not k.startswith("kubectl.")}
    metadata = {
        "name": found["metadata"]["name"],
        "labels": metadata["labels"],
        "annotations": kept,
    }
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": found.get("type", "Opaque"),
        "metadata": metadata,
        "data": found.get("data") or {},
    }

"""A namespace as a site: documents in ConfigMaps, links in token Secrets, a router in its pods.

Verbs write only ConfigMaps ``spillway-KIND-NAME`` with one key, and the cost and state of links on
their Secrets. Annotations and other ConfigMaps are the user's, objects of a GitOps tool are that
tool's: a verb that would change one fails with object, key and diff.
"""

import contextlib
import datetime
import os
import time
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from router.documents import file_name, write
from router.documents.wanted import Wanted
from router.kubernetes.codecs import owners, status
from router.kubernetes.migration.record import empty_map
from router.kubernetes.objects import addresses, console, names
from router.kubernetes.objects.objects import Object, annotations, labels
from router.kubernetes.translation.document_places import edit_of, own_place, removal_of
from router.kubernetes.translation.documents import config_map, config_map_name
from router.model.errors import ConfigError
from router.model.specs import Document, Kind, LinkSpec
from sitectl.base import output
from sitectl.base.failure import Exit, Failure, conflict, not_found, usage
from sitectl.base.options import Settings
from sitectl.kubernetes.cluster import ApiFailure, Cluster
from sitectl.kubernetes.door import PodDoor, may_run, site_directory
from sitectl.kubernetes.namespace_objects import NamespaceReading, read_namespace
from sitectl.kubernetes.namespaces import no_site
from sitectl.kubernetes.objects import make_so
from sitectl.kubernetes.planned import DryCluster
from sitectl.site.admin import WHOLE_CALL_S, Admin, AdminClient
from sitectl.site.places import state_dir
from sitectl.site.ports import LinkTokens, ServiceCredentials
from sitectl.site.site import ManagedSite

if TYPE_CHECKING:
    from certs.names import Endpoint
    from sitectl.kubernetes.secrets import NamespaceTrust

RESTARTED: Final = "spillway.dev/restarted-at"
"""On the pods' template: changed, the Deployment replaces its pods."""
SILENT: Final = "SW0460"
"""The router was not asked, or did not answer."""
_MESH_KEY: Final = "mesh.json"
_TOLD: Final = ("name", "id", "version", "services", "sites")
"""Of the status ConfigMap, what the item of `status` calls the same."""
_TRACKERS: Final = {
    "argocd.argoproj.io/": "Argo CD",
    "kustomize.toolkit.fluxcd.io/": "Flux",
    "helm.toolkit.fluxcd.io/": "Flux",
    "meta.helm.sh/": "Helm",
    "open-cluster-management.io/": "Open Cluster Management",
}


class KubernetesSite(ManagedSite):
    """The site of one namespace. Its objects are read once, all kinds in parallel."""

    users_word = "object"
    poll_s = 0.5

    def __init__(
        self, cluster: Cluster, state: Path, named: str | None = None, wait_s: float = WHOLE_CALL_S
    ) -> None:
        """``state`` may hold a router's directory; ``named``: what ``--site`` says it is called;
        ``wait_s``: for an answer of a router that is here."""
        self.cluster = cluster
        self.namespace = cluster.namespace
        self._reading: NamespaceReading | None = None
        self._trust: NamespaceTrust | None = None
        self._named = named
        self.admin: AdminClient = _door(cluster, state, wait_s)

    @classmethod
    def of(cls, settings: Settings) -> "KubernetesSite":
        """The site that the flags mean. Nothing is asked yet."""
        return cls(open_cluster(settings), state_dir(settings), settings.site, settings.timeout_s)

    @property
    def name(self) -> str:  # type: ignore[override]  # Read from the cluster when it is needed.
        """The site's, as ``skupper-site`` says; the namespace's while nothing else is known."""
        try:
            options = self.reading.picture.options
        except Failure:
            return self.namespace
        return options.name if options is not None else self.namespace

    @property
    def reading(self) -> NamespaceReading:
        """The namespace's objects and documents."""
        if self._reading is None:
            self._reading = read_namespace(self.cluster)
            self._check_name(self._reading)
        return self._reading

    @property
    def makes_services(self) -> bool:
        """Whether the router makes a Kubernetes Service where a document asks for one."""
        options = self.reading.picture.options
        return options is None or options.service_controller

    def require_site(self) -> None:
        """Raise Failure when the namespace has no site."""
        if self.reading.picture.options is None:
            raise no_site(self.cluster)

    def wanted(self) -> Wanted:
        """Everything together. Failure: no site here, or no usable one."""
        self.require_site()
        return super().wanted()

    @property
    def links(self) -> LinkTokens:
        """In token Secrets."""
        from sitectl.kubernetes.secrets import SecretLinks

        reading = self.reading
        secrets, linked = reading.snapshot.of("Secret"), reading.picture.tokens.keys()
        return SecretLinks(self.cluster, secrets, linked, reading.site_id)

    @property
    def credentials(self) -> ServiceCredentials:
        """In Secrets of their names."""
        from sitectl.kubernetes.credentials import SecretCredentials

        return SecretCredentials(self.cluster)

    @property
    def trust(self) -> "NamespaceTrust":
        """The site's trust, in separate Secrets."""
        from sitectl.kubernetes.secrets import NamespaceTrust

        if self._trust is None:
            self._trust = NamespaceTrust(self.cluster)
        return self._trust

    def endpoints(self) -> tuple["Endpoint", ...]:
        """By the site's ingress. Failure: it has no address yet, and why."""
        self.require_site()
        options = self.reading.picture.options
        assert options is not None
        exposed = addresses.EXPOSED_BY.get(options.ingress)
        found = addresses.addresses(
            options,
            self.namespace,
            self.reading.snapshot.get("Service", names.ROUTER),
            self.cluster.find(exposed, names.ROUTER) if exposed else None,
        )
        if not found.endpoints:
            raise Failure(
                Exit.FAILED,
                "no-address",
                f"other sites cannot reach this one yet: {found.waiting}",
                found.hint or "Give --ingress-host HOST[:PORT]",
                retryable=True,
            )
        if found.is_local:
            output.note("ingress is none: the token works within this cluster only")
        return found.endpoints

    def last_status(self, silence: Failure) -> dict[str, Any]:
        """The last content of ConfigMap ``spillway-status``, with its age.

        ``stopped``: the last router wrote it as it stopped. ``stale``: no router has written it for
        longer than one that runs waits; null: an older router wrote it.
        """
        self.require_site()
        problems = [
            {"code": error.code, "message": error.message, "hint": error.hint}
            for error in self.reading.picture.errors
            if error.severity == "error"
        ]
        problems.append({"code": SILENT, "message": silence.message, "hint": silence.hint})
        item: dict[str, Any] = {
            "name": self.name,
            "id": "",
            "mode": "",
            "version": "",
            "ready": False,
            "running": False,
            "uptime_s": 0.0,
            "links": len(self.links.names()),
            "services": sum(d.kind == "Service" for d in self.documents()),
            "sites": 1,
            "problems": problems,
            "sharing": self.wanted().site.sharing,
            "console": self.console(),
            "age_s": None,
            "stopped": False,
            "stale": None,
        }
        found = self.cluster.find("ConfigMap", names.STATUS_CONFIGMAP)
        told, written = status.decode(found), status.written_at(found)
        item |= {key: told[key] for key in _TOLD if key in told}
        if "links" in told:
            item["links"] = len(told["links"])
        item |= {"ready": False, "running": False}
        if written is not None:
            item["age_s"] = round(max(0.0, time.time() - written), 1)
        item["stopped"] = told.get(status.STOPPED) is True
        if (until := status.valid_until(told)) is not None:
            item["stale"] = time.time() > until
        return item

    def may_be_others(self, name: str) -> bool:
        """By what the routers keep in the namespace, in one call: an exec costs far more."""
        return owners.may_be_others(self.cluster.find("ConfigMap", names.OWNERS_CONFIGMAP), name)

    def console(self) -> dict[str, str]:
        """Where browsers find it, by what leads there now."""
        options = self.reading.picture.options
        if options is None or not options.console:
            return {"url": "", "auth": "", "secret": ""}
        kind = console.EXPOSED_BY.get(console.console_ingress(options, openshift=False))
        url = console.console_url(
            options,
            self.namespace,
            self.reading.snapshot.get("Service", names.CONSOLE),
            self.cluster.find(kind, names.CONSOLE) if kind else None,
        )
        if options.console_authentication == "openshift":
            return {"url": url, "auth": "openshift", "secret": ""}
        return {"url": url, "auth": "internal", "secret": console.USERS_PLACE}

    def console_of(self, told: dict[str, str]) -> dict[str, str]:
        """The router knows nothing of what leads to it."""
        try:
            found = self.console()
        except Failure:
            return told  # Who may not read these objects still gets what there is.
        return found | {key: told[key] for key in ("auth", "secret") if told.get("auth")}

    def scan(self) -> tuple[list[Document], list[ConfigError]]:
        """Every document with its object, and the errors in objects."""
        picture = self.reading.picture
        errors = [error for error in picture.errors if error.severity == "error"]
        return list(picture.documents), errors

    def own_place(self, kind: Kind, name: str) -> str:
        """See `document_places`."""
        return own_place(kind, name)

    def owns(self, document: Document) -> bool:
        """Whether verbs wrote it, and no GitOps tool keeps it."""
        if document.kind == "Site" or self._keeper(document):
            return False
        return super().owns(document)

    def where(self, document: Document) -> str:
        """Object, key and line."""
        place, bracket, key = document.source.partition("[")
        at_key = f", key {key.rstrip(']')}, line {document.line}" if bracket else ""
        keeper = self._keeper(document)
        return f"{place}{at_key}{f' (kept by {keeper})' if keeper else ''}"

    def edit_hint(self, document: Document) -> str:
        """The command to change the document, or the place to change it."""
        place = document.source.partition("[")[0]
        keeper = self._keeper(document)
        if keeper:
            return f"Change it in Git or wherever {keeper} takes {place} from"
        if document.kind == "Site":
            return f"sitectl -n {self.namespace} update --help"
        return edit_of(document, f"kubectl -n {self.namespace}")

    def removal_hint(self, document: Document) -> str:
        """See `removal_of`."""
        if document.source == self.own_place("Site", "") or self._keeper(document):
            return self.edit_hint(document)
        return removal_of(document, f"kubectl -n {self.namespace}")

    def _keeper(self, document: Document) -> str:
        """The tool that keeps the document's object as it is elsewhere; empty: none."""
        kind, _, name = document.source.partition("[")[0].partition("/")
        found = self.reading.snapshot.get(kind, name)
        return kept_by(found) if found is not None else ""

    has_workloads = True

    def workload_name(self, kind: str, name: str, namespace: str) -> str:
        """The name, or ``NAME.NAMESPACE``. Failure: there is no such workload here."""
        from sitectl.kubernetes.workloads import workload_name

        return workload_name(self.reading.snapshot, kind, name, namespace)

    def workload_ports(self, kind: str, name: str) -> tuple[tuple[int, int | str], ...]:
        """The ports of its containers; of a Service, its own."""
        from sitectl.kubernetes.workloads import declared_ports

        return declared_ports(self.reading.snapshot, kind, name)

    def write_document(self, document: Document) -> None:
        """Replace the document's ConfigMap, or the annotations of its link's Secret."""
        if isinstance(document.spec, LinkSpec):
            self._write_link(document.name, document.spec)
        elif document.kind == "Site":
            raise usage(
                "a site on Kubernetes is ConfigMap skupper-site, not a document",
                f"sitectl -n {self.namespace} init, or update",
            )
        else:
            self._write_config_map(document)
        self._reading = None

    def _write_link(self, name: str, spec: LinkSpec) -> None:
        notes: dict[str, str | None] = {
            names.DISABLED: "true" if spec.disabled else None,
            names.LINK_PROXY: spec.proxy or None,
        }
        if spec.cost is not None:  # Else the token's cost counts, which is there already.
            notes[names.COST] = str(spec.cost)
        self.cluster.patch("Secret", name, {"metadata": {"annotations": notes}})

    def _write_config_map(self, document: Document) -> None:
        name = config_map_name(document.kind, document.name)
        data = {file_name(document.kind, document.name): write(document)}
        found = self.reading.snapshot.get("ConfigMap", name) or self.cluster.find("ConfigMap", name)
        if found is None:
            self.cluster.create(config_map(name, data))
            return
        if labels(found).get(names.DOCUMENTS_LABEL) != names.DOCUMENTS:
            raise conflict(
                f"ConfigMap {name!r} exists in this namespace and is not of this site",
                f"kubectl -n {self.namespace} get configmap {name} -o yaml",
            )
        self.cluster.replace({**found, "data": data})

    def remove_document(self, document: Document) -> None:
        """Delete the document's ConfigMap; a link's goes with its Secret (`LinkTokens.remove`)."""
        if document.kind not in ("Link", "Site"):
            self.cluster.delete("ConfigMap", config_map_name(document.kind, document.name))
        self._reading = None

    def mark(self, document: Document, notes: dict[str, str | None]) -> bool:
        """Put annotations onto the ConfigMap of ``document``. False: it has them already."""
        name = config_map_name(document.kind, document.name)
        found = self.cluster.get("ConfigMap", name)
        before = annotations(found)
        changed = {key: value for key, value in notes.items() if before.get(key) != value}
        if changed:
            self.cluster.patch("ConfigMap", name, {"metadata": {"annotations": changed}})
            self._reading = None
        return bool(changed)

    def mesh_record(self) -> str:
        """In ConfigMap `names.MESH_CONFIGMAP`."""
        found = self.cluster.find("ConfigMap", names.MESH_CONFIGMAP)
        return str(((found or {}).get("data") or {}).get(_MESH_KEY, ""))

    def keep_mesh_record(self, text: str) -> None:
        """Replace that ConfigMap, if it says something else."""
        if self.mesh_record() == text:
            return
        made = empty_map(names.MESH_CONFIGMAP) | {"data": {_MESH_KEY: text}}
        make_so(self.cluster, [made])

    def forget(self) -> None:
        """Read the namespace again at the next use: its objects were changed."""
        self._reading = None

    def reload(self) -> bool:
        """Routers watch their objects: there is nothing to tell them."""
        return True

    def end_sessions(self, site_id: str) -> None:
        """Routers watch the list of the revoked: there is nothing to tell them."""

    def restart_router(self) -> None:
        """Have the Deployment replace its pods."""
        stamp = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        template = {"metadata": {"annotations": {RESTARTED: stamp}}}
        try:
            self.cluster.patch("Deployment", names.ROUTER, {"spec": {"template": template}})
        except ApiFailure as failure:
            if failure.status != 404:
                raise
            output.note(f"there is no Deployment {names.ROUTER}: restart the router yourself")

    def held(self) -> AbstractContextManager[None]:
        """Nothing is locked: each object is written only if it is still as it was read."""
        return contextlib.nullcontext()

    def degrades(self, failure: Failure) -> bool:
        """No router, or no right to an exec: what objects tell is shown instead."""
        return failure.exit_code in (Exit.UNREACHABLE, Exit.NOT_ALLOWED)

    def may_serve(self, silence: Failure) -> bool:
        """Who may not ask a router, or asks one that is not ready yet, knows nothing of it."""
        return silence.exit_code is Exit.NOT_ALLOWED or may_run(self.cluster)

    def links_unread(self) -> Failure | None:
        """Links are made of Secrets."""
        if "Secret" in self.reading.snapshot.missing:
            try:
                self.cluster.list("Secret")
            except ApiFailure as failure:
                return failure
        return None

    def _check_name(self, reading: NamespaceReading) -> None:
        options = reading.picture.options
        known = {self.namespace, options.name if options is not None else self.namespace}
        if self._named is not None and self._named not in known:
            raise not_found(
                f"no site {self._named!r} in namespace {self.namespace}; there is: "
                f"{options.name if options is not None else 'none'}",
                "Leave --site (SITECTL_SITE) out: a namespace has one site",
            )


def open_cluster(settings: Settings) -> Cluster:
    """The API server that the flags mean; with ``--dry-run`` one that writes nothing."""
    from sitectl.kubernetes.connection import HttpCluster

    cluster: Cluster = HttpCluster.connect(
        settings.kubeconfig, settings.context, settings.namespace, settings.timeout_s
    )
    return DryCluster(cluster, settings.planned) if settings.dry_run else cluster


def kept_by(found: Object) -> str:
    """The GitOps tool whose mark an object carries, which would undo a change; empty: none."""
    tools = map(tool_of, (*labels(found), *annotations(found)))
    return next((tool for tool in tools if tool), "")


def tool_of(mark: str) -> str:
    """The GitOps tool that marks its objects with the label or annotation ``mark``."""
    return next((tool for prefix, tool in _TRACKERS.items() if mark.startswith(prefix)), "")


def _door(cluster: Cluster, state: Path, wait_s: float) -> AdminClient:
    """The socket when it is here (our own pod, or a router that serves from here), else an exec."""
    own = os.environ.get("POD_NAMESPACE")
    socket = site_directory(cluster.namespace, state) / "run" / "admin.sock"
    if socket.exists() and own in (None, cluster.namespace):
        return Admin(socket, cluster.namespace, "sitectl check", wait_s)
    return PodDoor(cluster)

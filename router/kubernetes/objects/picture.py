"""The meaning of a namespace's objects, as values from `translate` for the store."""

import msgspec

from router.model import limits
from router.model.errors import ConfigError
from router.model.specs import Document


class SiteOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The parsed keys of ConfigMap ``skupper-site``; `manifests` renders a site from them.

    Names are the keys of Skupper v1 with ``_`` for ``-``. Quantities are Kubernetes' texts,
    checked. Ours beyond v1: ``adopt_services``, ``rewrite_selectors``.
    """

    name: str
    router_mode: str = "interior"
    ingress: str = "loadbalancer"  # route loadbalancer nodeport ingress nginx-ingress-v1 none …
    ingress_host: str = ""
    ingress_annotations: dict[str, str] = {}
    routers: int = 1
    create_network_policy: bool = False
    cluster_permissions: bool = False
    run_as_user: int | None = None
    run_as_group: int | None = None
    service_controller: bool = True  # False: annotations and Services are left alone.
    service_sync: bool = True
    service_sync_site_ttl_s: float = limits.SERVICE_SYNC_TTL_S
    console: bool = False
    console_authentication: str = "internal"
    console_user: str = ""
    console_password: str = ""
    console_ingress: str = ""
    router_logging: str = ""
    router_cpu: str = ""
    router_memory: str = ""
    router_cpu_limit: str = ""
    router_memory_limit: str = ""
    router_pod_affinity: str = ""
    router_pod_antiaffinity: str = ""
    router_node_selector: str = ""
    router_ingress_host: str = ""
    router_load_balancer_ip: str = ""
    router_service_annotations: dict[str, str] = {}
    router_pod_annotations: dict[str, str] = {}
    adopt_services: bool = False  # Existing Services may be taken over without a request.
    events: bool = True  # Findings and the journal are written as Events.
    rewrite_selectors: bool = True  # False: an adopted Service is never changed (GitOps).
    labels: dict[str, str] = {}  # From the ConfigMap, without excluded ones: for generated objects.
    annotations: dict[str, str] = {}
    is_left_alone: bool = False  # Made by `sitectl init`: the site controller makes nothing.


class RequestedService(msgspec.Struct, frozen=True, kw_only=True):
    """The wanted Service for one address of the network in this namespace.

    Addresses that only other sites declare have no wish and get a plain Service while service sync
    is on.
    ``consent``: a user here asked for the address, so an existing Service of that name may be
    adopted. ``is_made`` False: no Service here (``skupper.io/ingress: Never``).
    ``stateful_set``: headless, with a name for each of its pods.
    ``source``: the object that asks.
    ``cluster_ip``: the wanted address, if it is free; empty: any.
    """

    address: str
    source: str
    consent: bool = True
    is_made: bool = True
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}
    stateful_set: str = ""
    cluster_ip: str = ""


class TokenSecret(msgspec.Struct, frozen=True, kw_only=True):
    """A Secret that carries a token of another site: a link of that name.

    ``text`` is the Secret as a token file (`certs.token_files.tokens.load` judges it).
    ``proxy_secret``: the Secret with the password of its link's proxy; empty: the usual name.
    """

    name: str
    uid: str
    text: str
    proxy_secret: str = ""

    def __repr__(self) -> str:
        return f"TokenSecret({self.name!r})"


class NamespacePicture(msgspec.Struct, frozen=True, kw_only=True):
    """The meaning of all objects.

    ``documents``: Site, Services, Connectors (``workload`` not yet expanded), Listeners, Links;
    their ``source`` is ``KIND/NAME`` of the object.
    ``options`` None: no usable ``skupper-site``. ``wishes`` by address, ``tokens`` by link name.
    ``requests``: Secrets that ask for a certificate token of this site. ``errors`` name object and
    field.
    """

    documents: tuple[Document, ...] = ()
    options: SiteOptions | None = None
    wishes: dict[str, RequestedService] = {}
    tokens: dict[str, TokenSecret] = {}
    requests: tuple[str, ...] = ()
    errors: tuple[ConfigError, ...] = ()

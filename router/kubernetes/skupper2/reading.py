"""Objects of Skupper v2 beside v1's objects and documents: one picture of both.

If two have the same name, v1's object or document counts; of two objects of v2, the older one.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from router.documents.skupper2 import (
    GrantRequest,
    SiteRequest,
    TokenRequest,
    V2Object,
    parse_object,
    translate,
)
from router.kubernetes.objects import findings, names
from router.kubernetes.objects.findings import ObjectFindings
from router.kubernetes.objects.objects import Snapshot, created_at, is_going, name_of, seconds_of
from router.kubernetes.objects.picture import NamespacePicture, SiteOptions, TokenSecret
from router.kubernetes.objects.skupper2_kinds import KINDS
from router.kubernetes.skupper2 import remote_attached_connectors
from router.kubernetes.skupper2.completed_objects import is_completed
from router.kubernetes.skupper2.controller_choice import ActingController, controller_of
from router.kubernetes.skupper2.requested_sites import is_of_site, requested_config_map
from router.kubernetes.translation import site_config
from router.kubernetes.translation.site_config import SiteDefaults
from router.model.errors import ConfigError, Severity
from router.model.specs import ConnectorSpec, Document, LinkSpec, ListenerSpec, ServiceSpec

WRONG: Final = "SW0113"
_PORT: Final = "a routing key leads to one port"


class V2Picture(msgspec.Struct, frozen=True):
    """``picture`` with the objects of v2. ``site``: the Site object that is this site.

    ``controller``: the controller that acts on them.
    ``tokens``, ``grants``: AccessTokens and AccessGrants that need work, by name.
    ``bound``: other namespaces that AttachedConnectorBindings name.
    ``unbound``: sources of AttachedConnectors that no longer have a binding.
    """

    picture: NamespacePicture
    controller: ActingController = ActingController()
    site: str = ""
    is_used: bool = False  # Whether the namespace has such objects.
    tokens: Mapping[str, TokenRequest] = {}
    grants: Mapping[str, GrantRequest] = {}
    bound: frozenset[str] = frozenset()
    unbound: frozenset[str] = frozenset()


def read(picture: NamespacePicture, snapshot: Snapshot, defaults: SiteDefaults) -> V2Picture:
    """``picture`` with the v2 objects of ``snapshot``."""
    objects = _objects(snapshot)
    if not objects:
        return V2Picture(picture)
    controller = controller_of(snapshot)
    if controller.other:
        picture = _with_errors(picture, [_left(objects, controller)])
        return V2Picture(picture, controller, is_used=True)
    attached = remote_attached_connectors.read(objects, snapshot)
    picture = _with_errors(picture, list(attached.errors))
    joined = _Joined(picture, snapshot, defaults)
    known = [*(one for one in objects if one.source not in attached.unknown), *attached.found]
    joined.take(known)
    return msgspec.structs.replace(
        joined.result(),
        bound=attached.namespaces,
        unbound=remote_attached_connectors.unbound(known, snapshot.namespace),
    )


def _objects(snapshot: Snapshot) -> list[V2Object]:
    """All active objects that are not being deleted, the oldest first."""
    found = [
        one
        for kind in KINDS
        for one in snapshot.of(kind).values()
        if not is_going(one) and not is_completed(one)
    ]
    found.sort(key=lambda one: (created_at(one), str(one.get("kind")), name_of(one)))
    taken = (parse_object(one, f"{one.get('kind')}/{name_of(one)}") for one in found)
    return [
        one
        for one in taken
        if one is not None
        and not remote_attached_connectors.is_of_another_site(one, snapshot.namespace)
    ]


def _left(objects: list[V2Object], controller: ActingController) -> ConfigError:
    noted = ObjectFindings(objects[0].source)
    others = f" and {len(objects) - 1} more objects of Skupper v2 are" if objects[1:] else " is"
    to_whom = f"left to {controller.other}"
    hint = (
        f"Hand them over: set {names.CONTROLLER_KEY}: {names.ROUTER} in ConfigMap "
        f"{names.SKUPPER_CONTROL}"
    )
    if controller.other == names.CONTROLLER_FROZEN:
        to_whom, hint = "left alone", "See which services have moved: sitectl migrate --plan"
    noted.add(
        "",
        f"it{others} {to_whom}, since {controller.why}",
        hint,
        findings.LEFT_TO_SKUPPER,
        "info",
    )
    return noted.errors[0]


def _with_errors(picture: NamespacePicture, errors: list[ConfigError]) -> NamespacePicture:
    return msgspec.structs.replace(picture, errors=(*picture.errors, *errors))


class _Joined:
    """Builds one picture."""

    def __init__(
        self, picture: NamespacePicture, snapshot: Snapshot, defaults: SiteDefaults
    ) -> None:
        self._picture, self._snapshot, self._defaults = picture, snapshot, defaults
        self._taken = {(one.kind, one.name): one for one in picture.documents}
        self._documents: list[Document] = []
        self._tokens = dict(picture.tokens)
        self._named_by: dict[str, str] = {}  # Secrets with tokens, by the Link that names them.
        self._options = picture.options
        self._site = ""
        self._carried: set[str] = set()  # Services that v1's objects declare.
        self._access: dict[str, TokenRequest] = {}
        self._grants: dict[str, GrantRequest] = {}
        self._errors: list[ConfigError] = []

    def take(self, objects: list[V2Object]) -> None:
        """Add ``objects``."""
        secrets = (
            parse_object({**one, "kind": "Secret"}, f"Secret/{name}")
            for name, one in sorted(self._snapshot.of("Secret").items())
        )
        found = translate([*objects, *(one for one in secrets if one is not None)], "namespace")
        self._errors += [*found.errors, *map(_as_info, found.notes)]
        if found.site is not None:
            self._take_site(found.site)
        services = {one.name: one for one in found.documents if one.kind == "Service"}
        used: set[str] = set()
        for document in found.documents:
            named = _services_of(document)
            if named and self._may(document, named):
                self._documents.append(document)
                used.update(named)
        for name in sorted(used - self._carried):
            self._documents.append(self._aged(services[name]))
        for token in found.tokens:
            if token.url:  # From an AccessToken; a Link has a Secret.
                self._access[token.name] = token
            else:
                self._take_link(token)
        self._grants = {grant.name: grant for grant in found.grants}

    def result(self) -> V2Picture:
        """The complete picture."""
        linked = self._named_by.keys()
        kept = (
            one
            for one in self._picture.documents
            if not (one.kind == "Link" and one.name in linked and one.source == _secret(one.name))
        )
        picture = msgspec.structs.replace(
            self._picture,
            documents=(*kept, *self._documents),
            options=self._options,
            tokens={name: self._tokens[name] for name in sorted(self._tokens)},
            errors=(*self._picture.errors, *self._errors),
        )
        return V2Picture(
            picture,
            site=self._site,
            is_used=True,
            tokens=self._access,
            grants=self._grants,
        )

    def _find(
        self,
        source: str,
        path: str,
        reason: str,
        hint: str,
        severity: Severity = "error",
        code: str = findings.CONTRADICTION,
    ) -> None:
        noted = ObjectFindings(source)
        noted.add(path, reason, hint, code, severity)
        self._errors += noted.errors

    # The site -------------------------------------------------------------------------------

    def _take_site(self, request: SiteRequest) -> None:
        if self._options is not None:
            self._compare(request, self._options)
            return
        noted = ObjectFindings(request.source)
        options, document = site_config.read(
            requested_config_map(request), self._snapshot.namespace, self._defaults, noted
        )
        self._errors += noted.errors
        self._options, self._site = options, request.name
        self._documents.append(msgspec.structs.replace(document, source=request.source))

    def _compare(self, request: SiteRequest, options: SiteOptions) -> None:
        """Report the Site's differences from ConfigMap ``skupper-site``, which comes first."""
        if request.name != options.name:
            self._find(
                request.source,
                "metadata.name",
                f"{site_config.SOURCE} makes the site {options.name}, and comes first",
                f"Rename the Site to {options.name}, or make the site {request.name}",
            )
            return
        self._site = request.name
        if is_of_site(self._snapshot.get("ConfigMap", names.SITE_CONFIGMAP)):
            return  # The site controller keeps it in line with the Site.
        mode = "edge" if request.edge else "interior"
        for flag, field, wanted, now in (
            ("--ingress", "linkAccess", request.ingress, options.ingress),
            ("--router-mode", "edge", mode, options.router_mode),
            ("--routers", "ha", str(request.routers), str(options.routers)),
        ):
            if wanted != now:
                self._find(
                    request.source,
                    f"spec.{field}",
                    f"asks for {flag} {wanted}; {site_config.SOURCE} says {now}, and comes first",
                    f"Change the site with: sitectl update {flag} {wanted}",
                    "info",
                )

    # Services -------------------------------------------------------------------------------

    def _may(self, document: Document, named: tuple[str, ...]) -> bool:
        """Whether ``document`` counts beside v1's objects and documents; records a finding if not.

        ``named``: the services of its keys.
        """
        other = self._taken.get((document.kind, document.name))
        if other is not None and other.spec == document.spec:
            return False  # A migrated object: its document is equal.
        if other is not None:
            self._find(
                document.source,
                "metadata.name",
                f"{other.source} has a {document.kind} {document.name}, and comes first",
                "Give one of them another name",
            )
            return False
        carriers = {
            service: carrier
            for service in named
            if (carrier := self._taken.get(("Service", service))) is not None
        }
        for service, carrier in carriers.items():
            if isinstance(carrier.spec, ServiceSpec) and len(carrier.spec.ports) != 1:
                ports = ", ".join(map(str, carrier.spec.ports))
                self._find(
                    document.source,
                    "spec.routingKey" if len(named) == 1 else "spec.strategy",
                    f"{carrier.source} declares service {service} with ports {ports}, and {_PORT}",
                    "Use another routing key",
                )
                return False
        self._carried |= carriers.keys()
        return True

    def _aged(self, document: Document) -> Document:
        """The document, as old as the oldest object that names its key: equal at every replica."""
        found = self._snapshot.at(document.source)
        made_at_s = seconds_of(created_at(found)) if found is not None else None
        return msgspec.structs.replace(document, declared_at_s=made_at_s)

    # Links ----------------------------------------------------------------------------------

    def _take_link(self, request: TokenRequest) -> None:
        source, secret = f"Link/{request.name}", name_of(request.secret)
        token = self._picture.tokens.get(secret)
        path, other = "spec.tlsCredentials", self._named_by.get(secret)
        if token is None:
            reason = f"no link can be made of Secret {secret}; its own finding says why"
            self._find(source, path, reason, "", code=WRONG)
        elif other is not None:
            reason = f"Link/{other} already uses Secret {secret}"
            self._find(source, path, reason, "Delete one of the Links")
        elif request.name != secret and request.name in self._picture.tokens:
            reason = f"Secret/{request.name} makes a link of that name, and comes first"
            self._find(source, "metadata.name", reason, "Give the Link another name")
        else:
            self._named_by[secret] = request.name
            self._link(request, token, source)

    def _link(self, request: TokenRequest, token: TokenSecret, source: str) -> None:
        del self._tokens[token.name]
        proxy = request.proxy_secret or token.proxy_secret
        self._tokens[request.name] = msgspec.structs.replace(
            token, name=request.name, proxy_secret=proxy
        )
        own = self._taken.get(("Link", request.name))
        if own is not None and own.source != _secret(request.name):
            reason = f"{own.source} has a Link of that name, which counts for cost and state"
            self._find(source, "metadata.name", reason, "Say it at one of the two", "warning")
            return
        # From the Secret's annotations; `result` leaves that document out.
        own = self._taken.get(("Link", token.name))
        if own is not None and own.source != _secret(token.name):
            own = None
        spec = own.spec if own is not None and isinstance(own.spec, LinkSpec) else LinkSpec()
        if request.cost is not None:
            spec = msgspec.structs.replace(spec, cost=request.cost)
        self._documents.append(Document(kind="Link", name=request.name, spec=spec, source=source))


def _services_of(document: Document) -> tuple[str, ...]:
    """The services that a Connector or Listener names."""
    match document.spec:
        case ListenerSpec(services=services):
            return services
        case ConnectorSpec(service=service):
            return (service,)
        case _:
            return ()


def _as_info(note: ConfigError) -> ConfigError:
    """``note`` as info: an object without effect must not degrade the site while it exists."""
    return ConfigError(
        note.source, note.path, note.reason, hint=note.hint, code=note.code, severity="info"
    )


def _secret(name: str) -> str:
    return f"Secret/{name}"

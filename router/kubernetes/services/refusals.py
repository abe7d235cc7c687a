"""Whether a foreign Service may and can be led to the routers."""

from router.kubernetes.objects import names
from router.kubernetes.objects.objects import Object, name_of, spec_of
from router.kubernetes.services import adoption, headless
from router.model.errors import ConfigError
from router.model.specs import ServiceSpec

_ELSEWHERE = (
    "Use another address, with this Service as its target (skupper.io/address on it, or a Service "
    "with skupper.io/target: {name})"
)


def refusal(
    service: Object, spec: ServiceSpec, *, consent: bool, may_rewrite: bool
) -> ConfigError | None:
    """Why the Service is not adopted; None: it may be. An adopted one is then given back.

    One selector serves all ports of a Service, so a Service with ports that the address lacks would
    lose them: it is refused whole.
    """
    name = name_of(service)
    elsewhere = _ELSEWHERE.format(name=name)
    if adoption.is_skuppers(service):
        return left_to_skupper(name)
    if adoption.leads_to_routers(service) and not adoption.is_adopted(service):
        return _refused(
            name,
            "SW0424",
            "spec.selector",
            "its selector names the routers, but this site did not make it",
            f"Delete it, or label it {names.SERVICE_LABEL}={name} to hand it over",
        )
    if not consent:
        return _refused(
            name,
            "SW0420",
            "metadata.name",
            f"the network has a service {name} and this namespace a Service of its own, which "
            "keeps the name",
            f"To hand it over: annotate it with {names.PROXY}, sitectl service bind {name}, or "
            'adopt-services: "true" in ConfigMap skupper-site',
        )
    if not may_rewrite and spec.headless != name:
        return _refused(
            name,
            "SW0423",
            "spec.selector",
            'rewrite-selectors is "false" and a Service of that name exists: its clients stay here',
            elsewhere,
        )
    if spec.headless == name:  # Names of pods are added to it; the Service itself is not touched.
        return None if headless.is_headless(service) else _not_headless(name)
    return _kind_refused(service, elsewhere) or _ports_refused(service, spec, elsewhere)


def left_to_skupper(name: str) -> ConfigError:
    """Skupper, which runs beside us, has the address: both would rewrite the Service forever."""
    return _refused(
        name,
        "SW0424",
        "spec.selector",
        "Skupper's router serves this Service: it is not touched",
        f"sitectl migrate --plan, or unexpose {name} from Skupper first",
    )


def _not_headless(name: str) -> ConfigError:
    return _refused(
        name,
        "SW0421",
        "spec.clusterIP",
        f"{name} is the address of pods with names, and this Service is not headless",
        "Rename the Service, or make it again with clusterIP: None",
    )


def _kind_refused(service: Object, elsewhere: str) -> ConfigError | None:
    spec, name = spec_of(service), name_of(service)
    if spec.get("type") == "ExternalName":
        return _refused(name, "SW0421", "spec.type", "it is an ExternalName", elsewhere)
    if spec.get("clusterIP") == "None":
        why = "it is headless: its clients connect to pods, with no port of ours between"
        return _refused(name, "SW0421", "spec.clusterIP", why, elsewhere)
    if not adoption.selector(adoption.before(service)):
        why = "it has no selector: the endpoints that were written for it would be overwritten"
        return _refused(name, "SW0421", "spec.selector", why, elsewhere)
    if spec.get("internalTrafficPolicy") == "Local":
        why = "its traffic stays on the client's node (Local), where no router may be"
        return _refused(name, "SW0421", "spec.internalTrafficPolicy", why, elsewhere)
    return None


def _ports_refused(service: Object, spec: ServiceSpec, elsewhere: str) -> ConfigError | None:
    name = name_of(service)
    beyond = [
        f"{port.get('port')}/{port.get('protocol', 'TCP')}"
        for port in adoption.ports(adoption.before(service))
        if port.get("port") not in spec.ports or port.get("protocol", "TCP") != "TCP"
    ]
    if not beyond:
        return None
    return _refused(
        name,
        "SW0422",
        "spec.ports",
        f"it has ports that the service of the network lacks ({', '.join(beyond)}): they would "
        "lead nowhere",
        f"Give the address these ports as well ({names.PORT}). Else: {elsewhere}",
    )


def _refused(name: str, code: str, path: str, reason: str, hint: str) -> ConfigError:
    return ConfigError(f"Service/{name}", path, reason, hint=hint, code=code)

"""This site's part of a service that another site declares: listeners and certificate."""

from router.documents.addresses import split_listen
from sitectl.base import output
from sitectl.base.failure import Failure, not_found, usage
from sitectl.base.options import Settings
from sitectl.flags.services.bindings import is_declared
from sitectl.flags.services.capacity import CapChange
from sitectl.flags.services.listeners import (
    ListenerFlags,
    changed_listeners,
    note_no_listener,
    require_port,
    with_credential,
)
from sitectl.flags.services.names import declared_service, not_declared, require_name
from sitectl.flags.sites import tls
from sitectl.site.site import Site
from sitectl.verbs.services.site_rules import put_rules, rules_text


def listen_here(
    settings: Settings,
    site: Site,
    name: str,
    port: int | None,
    listened: ListenerFlags,
    rules: CapChange,
) -> None:
    """Listen for a service of other sites; an edge without service sync learns of no other.

    ``rules`` are written with it, if any were said.
    """
    site.require_readable("Service", name)
    require_name(name)
    listened = with_credential(site, name, listened)
    declared = declared_service(site, name)
    ports = () if declared is None else declared.ports
    if ports:
        require_port(name, port, ports)
    documents = changed_listeners(site, name, ports, listened, port, is_own=False)
    ruled = f"; {rules_text(site, name, rules)}" if rules.is_said else ""
    change = put_rules(site, name, rules, documents)
    when = "" if declared is not None else ", once a declaration of it counts here"
    told: list[str] = []
    listen, trust = listened.listen, listened.client_trust
    if listen is not None:
        own = f"as Service {name}" if site.has_workloads else "at its own port"
        at = own if site.has_workloads else f"at {listen}"
        where = {"auto": own, "none": "nowhere"}.get(listen, at)
        first = ports[0] if len(ports) > 1 and split_listen(listen) is not None else None
        if listen != "none" and not site.makes_services:
            when += ', once service-controller is "true" in ConfigMap/skupper-site'
        which = "it" if (about := port or first) is None else f"its port {about}"
        told.append(f"listens for {which} {where}{when}")
    if trust is not None:
        clients = f"only clients with a certificate of {trust}" if trust else "any client"
        told.append(f"admits {clients}")
    text = f"service {name}: {site.name} {' and '.join(told)}{ruled}"
    output.report(settings, "Listener", name, change, text)
    note_no_listener(settings, site, name)


def keep_certificate(
    settings: Settings, site: Site, name: str, tls_cert: str, rules: CapChange
) -> None:
    """Store a certificate for a service that another site declares. Failure: no site does.

    ``rules`` are written with it, if any were given.
    """
    credential = tls.credential_in_use(site, name)
    if not is_declared(site, name):
        raise no_service(site, name)
    if not credential:
        raise not_found(
            f"service {name!r} does not speak TLS, and is not declared at {site.name}",
            f"At the site that declares it: sitectl service set {name} --tls-cert FOLDER",
        )
    kept = tls.shown_credential(site, tls_cert, name)
    if kept.name != credential:
        raise usage(
            f"service {name!r} names the credential {credential!r}, where it is declared",
            f"sitectl service set {name} --tls-cert FOLDER",
        )
    text = f"service {name}: {site.name} shows the credential {kept.name}"
    text += f"; {rules_text(site, name, rules)}" if rules.is_said else ""
    is_changed = kept.is_new | (put_rules(site, name, rules) != "unchanged")
    site.reload()
    change = "updated" if is_changed else "unchanged"
    output.report(settings, "Service", name, change, text if is_changed else f"{text}, unchanged")


def no_service(site: Site, name: str) -> Failure:
    """That this site does not declare the service, and what to do."""
    site.require_readable("Service", name)
    if is_declared(site, name):
        hint = f"At that site: sitectl service set {name} …"
        if damaged := [error.source for error in site.scan()[1] if error.severity == "error"]:
            hint += f"; if it has targets here, correct {damaged[0]} first: sitectl check"
        return not_found(
            f"service {name!r} is not declared at {site.name} but at another site", hint
        )
    return not_declared(site, name)

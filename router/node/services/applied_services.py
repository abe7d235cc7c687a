"""Brings the forwarder to the plan of this site's service ports, and keeps it there."""

from collections.abc import Collection, Mapping

import msgspec

from router.documents import lent
from router.exchange.forwarder import Forwarder
from router.model.addresses import ALLOW_LINK_LOCAL, metadata_kind, split
from router.model.ids import ServiceKey
from router.model.service_choice import ServiceChoice
from router.net.ports import Network, Tls
from router.node.services.listeners import shared
from router.node.services.planned import PlannedService, PlannedTarget
from router.node.services.share_run import ShareRun
from router.service.ports import NoTls, TargetConfig
from router.trust.ports import Credentials


class AppliedServices:
    """Service ports as the forwarder has them: with the usable part of shares, and with TLS.

    ``choices``: the services that clients of shared listeners reach.
    """

    __slots__ = ("_credentials", "_forwarder", "_network", "_services", "_shares", "choices")

    def __init__(
        self, network: Network, forwarder: Forwarder, credentials: Credentials, shares: ShareRun
    ) -> None:
        self._network = network
        self._forwarder = forwarder
        self._credentials = credentials
        self._shares = shares
        self._services: dict[ServiceKey, PlannedService] = {}
        self.choices: Mapping[ServiceKey, ServiceChoice] = {}

    def remove(self, key: ServiceKey) -> None:
        """``key`` is no longer planned."""
        self._forwarder.remove_service(key)
        self._services.pop(key, None)

    def follow_shares(self, services: Mapping[ServiceKey, PlannedService]) -> None:
        """Apply the usable part of each of ``services`` that changed since it was applied."""
        for key, planned in services.items():
            service = self._shares.limited(planned)
            before = self._services.get(key)
            if before is not service and before != service:
                self._services[key] = service
                self._apply(service)

    def permit(self, services: Collection[PlannedService]) -> None:
        """Keep the credentials of ``services``, and allow their targets' link-local addresses."""
        shown = {service.tls_cert for service in services if service.listen}
        trusted = {target.tls_trust for service in services for target in service.targets.values()}
        of_clients = {service.tls_client_trust for service in services if service.listen}
        self._credentials.keep_service_tls(
            frozenset(shown), frozenset(trusted), frozenset(of_clients)
        )
        self._network.allow_link_local(_link_local_hosts(services))

    def set_listeners(self, services: Mapping[ServiceKey, PlannedService]) -> None:
        """Listen for exactly these of ``services`` that have a listener."""
        listening = {key: service for key, service in services.items() if service.listen}
        self.choices = shared.choices_of(services)
        self._forwarder.entry.set_choices(self.choices)
        self._forwarder.set_listeners(
            {key: service.listen for key, service in listening.items() if service.listen},
            {
                key: self._listener_tls(key.name, service)
                for key, service in listening.items()
                if service.tls_cert or service.tls_client_trust
            },
        )

    def look_at_credentials(self, services: Mapping[ServiceKey, PlannedService]) -> None:
        """Apply credential files that came, went or were replaced, for all that begins from now
        on."""
        if self._credentials.service_tls_changed():
            self.set_listeners(services)
            for service in self._services.values():
                if any(target.tls_trust for target in service.targets.values()):
                    self._set_targets(service)

    def _listener_tls(self, name: str, service: PlannedService) -> Tls | NoTls:
        verb = f"sitectl service set {name}"
        if not service.tls_cert:
            reason = "clients must show a certificate, and the listener has none of its own"
            return NoTls(reason, f"{verb} --tls-cert FOLDER")
        tls = self._credentials.service_tls(
            service.tls_cert, service.declaration.spec.protocol, service.tls_client_trust
        )
        if isinstance(tls, NoTls):
            flag = "--tls-client-trust" if tls.is_of_clients else "--tls-cert"
            return NoTls(tls.reason, f"{tls.hint}, or: {verb} {flag} FOLDER")
        return tls

    def _apply(self, service: PlannedService) -> None:
        spec = service.declaration.spec
        if service.tls_cert != spec.tls_cert:  # The credential of its Listener here.
            spec = msgspec.structs.replace(spec, tls_cert=service.tls_cert)
        self._forwarder.set_service(service.key, spec)
        self._forwarder.ports.set_site_cap(service.key, service.cap)
        lending = service.lending
        self._forwarder.set_lending(service.key, None if lending == lent.NO_LIMIT else lending)
        self._forwarder.ports.set_drained(service.key, not service.takes)
        self._set_targets(service)

    def _set_targets(self, service: PlannedService) -> None:
        self._forwarder.set_targets(
            service.key,
            {
                target: self._target_config(target, planned, service)
                for target, planned in service.targets.items()
            },
        )

    def _target_config(
        self, target: str, planned: PlannedTarget, service: PlannedService
    ) -> TargetConfig:
        tls: Tls | NoTls | None = None
        host, unusable = split(target)[0], planned.unusable
        if planned.tls_trust:
            tls = self._credentials.target_tls(
                planned.tls_trust,
                planned.tls_server_name,
                host,
                service.declaration.spec.protocol,
                check_name=planned.tls_check_name,
                show_cert=planned.tls_show_cert,
            )
        if isinstance(tls, NoTls):
            unusable = f"it must be reached by TLS: {tls.reason}. {tls.hint}"
        elif not planned.allow_link_local and (kind := metadata_kind(host)):
            unusable = f"it is {kind}; {ALLOW_LINK_LOCAL}"
        return TargetConfig(
            connector=planned.connector,
            name=planned.name,
            capacity=planned.capacity,
            rate=planned.rate,
            auto=planned.auto,
            before=planned.before,
            health=planned.health,
            tls=tls if isinstance(tls, Tls) else None,
            proxy_protocol=planned.proxy_protocol,
            unusable=unusable,
            last_resort=planned.last_resort,
        )


def _link_local_hosts(services: Collection[PlannedService]) -> frozenset[str]:
    """Hosts of targets that may be link-local."""
    return frozenset(
        split(target)[0]
        for service in services
        for target, planned in service.targets.items()
        if planned.allow_link_local
    )

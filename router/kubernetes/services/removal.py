"""Gives back our objects of a namespace: restores adopted Services, deletes made ones."""

from router.kubernetes.objects import names
from router.kubernetes.objects.changes import Change, delete, patch
from router.kubernetes.objects.objects import Object, Snapshot, labels, name_of
from router.kubernetes.services import adoption, headless, owned_services
from router.model.errors import ConfigError


def restore(snapshot: Snapshot) -> tuple[tuple[Change, ...], tuple[ConfigError, ...]]:
    """The changes that restore all adopted Services and delete all made ones."""
    changes: list[Change] = []
    findings: list[ConfigError] = []
    for service in ours(snapshot):
        change, finding = undone(service)
        changes += [change] if change else []
        findings += [finding] if finding else []
    # They own their ServiceImports.
    changes += [delete(service) for _, service in derived(snapshot)]
    return (*changes, *headless.deletions(snapshot)), tuple(findings)


def ours(snapshot: Snapshot) -> list[Object]:
    """Services that we made or adopted, by name."""
    return [
        service
        for _, service in sorted(snapshot.of("Service").items())
        if adoption.is_adopted(service) or owned_services.is_made(service)
    ]


def derived(snapshot: Snapshot) -> list[tuple[str, Object]]:
    """Services that we made for ServiceImports, with the network's names of their services."""
    marked = ((labels(each), each) for _, each in sorted(snapshot.of("Service").items()))
    return [
        (label[names.CLUSTERSET_LABEL], each)
        for label, each in marked
        if names.CLUSTERSET_LABEL in label and label.get(names.MANAGED_BY_LABEL) == names.MANAGED_BY
    ]


def undone(service: Object) -> tuple[Change | None, ConfigError | None]:
    """The change that gives the Service back, or why that is impossible."""
    if not adoption.is_adopted(service):
        # Skupper makes its own again; a Service handed over to it would keep our parts.
        if owned_services.is_claimed(service) and not adoption.is_skuppers(service):
            return patch(service, owned_services.without_our_fields(service)), None
        return delete(service), None
    if adoption.original(service) is None:
        return None, unreadable(service)
    return patch(service, adoption.before(service)), None


def unreadable(service: Object) -> ConfigError:
    return ConfigError(
        f"Service/{name_of(service)}",
        f"metadata.annotations[{names.ORIGINAL}]",
        "what the Service was before it was adopted cannot be read, so it stays as it is",
        hint="Put its selector and target ports back and remove this annotation, or apply it again",
        code="SW0429",
    )

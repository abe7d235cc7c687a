"""`delete` of a namespace's site."""

from router.kubernetes.objects import names
from sitectl.base import output
from sitectl.base.failure import conflict
from sitectl.base.options import Settings
from sitectl.kubernetes.cluster import Cluster
from sitectl.kubernetes.removal import remove_site
from sitectl.kubernetes.site import open_cluster


def delete(settings: Settings) -> None:
    """Restore the adopted Services, then remove the site's objects."""
    cluster = open_cluster(settings)
    if not settings.yes:
        _require_nothing_moved(cluster)
    settings.confirm(f"Delete the site of namespace {cluster.namespace} with its identity?")
    removed = remove_site(cluster)
    if settings.dry_run:
        output.emit_planned(settings)
        return
    for line in removed.left:
        output.note(line)
    change = "deleted" if removed.shown else "unchanged"
    text = f"site of namespace {cluster.namespace} deleted ({len(removed.shown)} objects)"
    if not removed.shown:
        text = f"no site in namespace {cluster.namespace}, nothing to delete"
    output.report(settings, "Site", cluster.namespace, change, text)


def _require_nothing_moved(cluster: Cluster) -> None:
    """Raise Failure if services moved here from a Skupper that still runs would have no router."""
    records = cluster.find("ConfigMap", names.MIGRATION_CONFIGMAP)
    moved = ", ".join(sorted((records or {}).get("data") or {}))
    if moved and cluster.find("Deployment", names.SKUPPER_ROUTER) is not None:
        raise conflict(
            f"no router would serve {moved}: moved here from Skupper, which still runs",
            "sitectl migrate --rollback, or add --yes",
        )

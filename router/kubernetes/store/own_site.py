"""Whether the site of this router is still the site of its namespace. Pure."""

from router.kubernetes.codecs import identity
from router.kubernetes.codecs.secrets import SecretError
from router.kubernetes.objects.names import IDENTITY_SECRET, SITE_CONFIGMAP
from router.kubernetes.objects.objects import Object, Snapshot, is_going, uid_of
from router.kubernetes.objects.picture import NamespacePicture

_SECRET = "Secret"


class OwnSite:
    """Remembers the ConfigMap that the site began with; `look` takes every state of the namespace.

    A site that is deleted and made again within seconds is another site: while the routers of the
    first one still drain, the namespace has a ConfigMap again, and the identity of the second site.
    """

    __slots__ = ("_first", "_site_id", "_uid", "is_gone")

    def __init__(self, site_id: str) -> None:
        self._site_id = site_id
        self._first = self._uid = ""
        """UIDs of the ConfigMap that the site began with, and of its last known one."""
        self.is_gone = False
        """No object asks for this site any more."""

    def look(self, snapshot: Snapshot, picture: NamespacePicture) -> bool:
        """Whether the site is gone by now.

        Its ConfigMap was deleted or is being deleted; or the site came from a Site of Skupper v2
        without a ConfigMap, and the Site is gone; or there is another ConfigMap without this site's
        identity.
        """
        self.is_gone = self._is_gone(snapshot, picture)
        return self.is_gone

    def _is_gone(self, snapshot: Snapshot, picture: NamespacePicture) -> bool:
        found = snapshot.get("ConfigMap", SITE_CONFIGMAP)
        if found is None:
            return not any(document.kind == "Site" for document in picture.documents)
        if is_going(found):
            return True
        uid = uid_of(found)
        self._first, self._uid = self._first or uid, self._uid or uid
        if uid != self._first:
            if _SECRET in snapshot.missing:
                return self.is_gone  # The owner is unknown.
            if self._is_anothers(uid, snapshot.get(_SECRET, IDENTITY_SECRET)):
                return True
        self._uid = uid
        return False

    def _is_anothers(self, uid: str, secret: Object | None) -> bool:
        """Whether the identity is of another site, or of none yet.

        News of Secrets may arrive after news of ConfigMaps: after a site was made again, this
        site's identity may still be seen first.
        """
        if secret is None:
            return uid != self._uid
        try:
            return identity.site_id(secret) != self._site_id
        except SecretError:  # The Secret is damaged: the identity stays as it was.
            return False

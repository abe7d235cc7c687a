"""Whether the site that this router runs still is the site of its namespace. Pure."""

from router.kubernetes.codecs import identity
from router.kubernetes.codecs.secrets import SecretError
from router.kubernetes.objects.names import IDENTITY_SECRET, SITE_CONFIGMAP
from router.kubernetes.objects.objects import Snapshot, is_going, uid_of
from router.kubernetes.objects.picture import NamespacePicture

_SECRET = "Secret"


class OwnSite:
    """Remembers which ConfigMap the site began with; `look` at every state of the namespace.

    A site that is deleted and made again within seconds is another one: while the routers of the
    first still drain, the namespace has a ConfigMap again, and the identity of the second site.
    """

    __slots__ = ("_site_id", "_uid", "is_gone")

    def __init__(self, site_id: str) -> None:
        self._site_id = site_id
        self._uid = ""
        self.is_gone = False
        """Nothing says any more that there is to be this site."""

    def look(self, snapshot: Snapshot, picture: NamespacePicture) -> bool:
        """Whether it is gone by now.

        Its ConfigMap was deleted, or is being; or there never was one beside a Site of Skupper v2,
        and that is gone; or another ConfigMap is there without this site's identity.
        """
        self.is_gone = self._is_gone(snapshot, picture)
        return self.is_gone

    def _is_gone(self, snapshot: Snapshot, picture: NamespacePicture) -> bool:
        found = snapshot.get("ConfigMap", SITE_CONFIGMAP)
        if found is None:
            return not any(document.kind == "Site" for document in picture.documents)
        if is_going(found):
            return True
        if self._uid and uid_of(found) != self._uid:
            if _SECRET in snapshot.missing:
                return self.is_gone  # Whose it is cannot be known.
            if self._is_anothers(snapshot):
                return True
        self._uid = uid_of(found)
        return False

    def _is_anothers(self, snapshot: Snapshot) -> bool:
        """Whether the identity is of another site, or of none yet."""
        found = snapshot.get(_SECRET, IDENTITY_SECRET)
        try:
            return found is None or identity.site_id(found) != self._site_id
        except SecretError:  # It is damaged, and who the site is stays as it was.
            return False

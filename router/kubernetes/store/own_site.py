"""Whether the site that this router runs still is the site of its namespace. Pure."""

from router.kubernetes.codecs import identity
from router.kubernetes.codecs.secrets import SecretError
from router.kubernetes.objects.names import IDENTITY_SECRET, SITE_CONFIGMAP
from router.kubernetes.objects.objects import Object, Snapshot, is_going, uid_of
from router.kubernetes.objects.picture import NamespacePicture

_SECRET = "Secret"


class OwnSite:
    """Remembers which ConfigMap the site began with; `look` at every state of the namespace.

    A site that is deleted and made again within seconds is another one: while the routers of the
    first still drain, the namespace has a ConfigMap again, and the identity of the second site.
    """

    __slots__ = ("_first", "_site_id", "_uid", "is_gone")

    def __init__(self, site_id: str) -> None:
        self._site_id = site_id
        self._first = self._uid = ""
        """The ConfigMap that the site began with, and the last one that is believed to be its."""
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
        uid = uid_of(found)
        self._first, self._uid = self._first or uid, self._uid or uid
        if uid != self._first:
            if _SECRET in snapshot.missing:
                return self.is_gone  # Whose it is cannot be known.
            if self._is_anothers(uid, snapshot.get(_SECRET, IDENTITY_SECRET)):
                return True
        self._uid = uid
        return False

    def _is_anothers(self, uid: str, secret: Object | None) -> bool:
        """Whether the identity is of another site, or of none yet.

        News of Secrets may come later than those of ConfigMaps: of a site that was made again this
        one's identity may be seen first, and then the other one.
        """
        if secret is None:
            return uid != self._uid
        try:
            return identity.site_id(secret) != self._site_id
        except SecretError:  # It is damaged, and who the site is stays as it was.
            return False

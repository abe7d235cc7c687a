"""Documents of an earlier apply of a Skupper v2 directory that it no longer contains."""

import time
from pathlib import Path
from shlex import quote
from typing import Any

from sitectl.base import output
from sitectl.site.applied_directories import AppliedObjects
from sitectl.site.site import Site


class VanishedObjects:
    """Those of ``before`` that are not in ``now``, nor ``elsewhere``, and count at the site."""

    def __init__(
        self, site: Site, before: AppliedObjects, now: AppliedObjects, elsewhere: AppliedObjects
    ) -> None:
        """``elsewhere``: what other directories made; they may have got it from this one."""
        self._site = site
        lost = set(before.documents) - set(now.documents) - set(elsewhere.documents)
        here = site.documents()
        used = {
            name for one in here if (one.kind, one.name) not in lost for name in one.used_services
        }
        self._documents = [
            one
            for one in here
            if (one.kind, one.name) in lost and (one.kind != "Service" or one.name not in used)
        ]
        links = {*now.links, *elsewhere.links}
        known = site.links.names()
        self._links = [name for name in before.links if name not in links and name in known]
        open_ = {
            grant.name
            for grant in site.trust.granted()
            if grant.uses_left and not grant.revoked and time.time() < grant.expires_at
        }
        grants = {*now.grants, *elsewhere.grants}
        self._grants = [name for name in before.grants if name not in grants and name in open_]

    def tell(self, directory: Path) -> list[dict[str, Any]]:
        """Print them and how to remove each; changes nothing."""
        for one in self._documents:
            output.note(
                f"{one.kind} {one.name} is no longer in {directory} and still counts. To remove "
                f"it: sitectl apply -f {quote(str(directory))} --prune"
            )
        self._tell_others(directory)
        return []

    def remove(self, directory: Path) -> list[dict[str, Any]]:
        """Remove the documents; what became of each."""
        self._tell_others(directory)
        deleted, self._documents = self._site.delete_all(self._documents), []
        return [{"kind": one.kind, "name": one.name, "change": "deleted"} for one in deleted]

    def and_those(self, now: AppliedObjects) -> AppliedObjects:
        """``now`` with what still counts of before."""
        return AppliedObjects(
            documents=(*now.documents, *((one.kind, one.name) for one in self._documents)),
            links=(*now.links, *self._links),
            grants=(*now.grants, *self._grants),
        )

    def _tell_others(self, directory: Path) -> None:
        for name in self._links:
            output.note(
                f"the Link or AccessToken {name} is no longer in {directory}, its link stays. To "
                f"remove it: sitectl link delete {name}"
            )
        for name in self._grants:
            output.note(
                f"AccessGrant {name} is no longer in {directory}, its token can still be redeemed. "
                f"To end it: sitectl revoke-access --link {name}"
            )

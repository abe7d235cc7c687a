"""An image in a release: an archive of an OCI image layout, read without an engine.

https://github.com/opencontainers/image-spec: image-layout.md, image-index.md, manifest.md.
"""

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator
from typing import IO, Any, Final

_READ_BYTES: Final = 1 << 20
_TEXT_BYTES_MAX: Final = 4 << 20
"""Limit for an index, a manifest or a configuration."""
_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


class NotAnImage(Exception):
    """The archive holds no image; the text names the problem."""


class ImageLayout:
    """The only image in an archive, for one platform or for several."""

    def __init__(self, file: IO[bytes]) -> None:
        """Raises NotAnImage. ``file`` must stay open while this is used."""
        try:
            self._tar = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115  # The file is the caller's.
            self._members = {one.name: one for one in self._tar.getmembers() if one.isfile()}
        except tarfile.TarError as error:
            raise NotAnImage(f"no archive: {error}") from None
        found = self._json("index.json").get("manifests")
        if not isinstance(found, list) or len(found) != 1:
            raise NotAnImage("index.json names not one image")
        self.digest: str = self._digest(found[0])
        """The digest of the image, or of its list of platforms, as in image names."""

    def platforms(self) -> set[str]:
        """The platforms, such as ``linux/arm64``, each with all its layers. Raises NotAnImage."""
        top = self._blob({"digest": self.digest})
        parts = top.get("manifests", [{"digest": self.digest}])
        if not isinstance(parts, list):
            raise NotAnImage("the list of platforms is no list")
        return {self._platform(self._blob(part)) for part in parts}

    def _platform(self, manifest: Any) -> str:
        """The platform of a manifest, after checking all digests, layer by layer."""
        try:
            config = self._blob(manifest["config"])
            for layer in manifest["layers"]:
                self._check(self._digest(layer))
            return f"{config['os']}/{config['architecture']}"
        except (KeyError, TypeError) as error:
            raise NotAnImage(f"a manifest has no {error}") from None

    def _blob(self, descriptor: Any) -> Any:
        digest = self._digest(descriptor)
        self._check(digest)
        return self._json(_name(digest))

    def _digest(self, descriptor: Any) -> str:
        digest = descriptor.get("digest") if isinstance(descriptor, dict) else None
        if not isinstance(digest, str) or _DIGEST.fullmatch(digest) is None:
            raise NotAnImage(f"{digest!r} is no SHA-256 digest")
        return digest

    def _check(self, digest: str) -> None:
        found = hashlib.sha256()
        for data in self._pieces(_name(digest)):
            found.update(data)
        if f"sha256:{found.hexdigest()}" != digest:
            raise NotAnImage(f"{digest[:19]} was changed")

    def _json(self, name: str) -> Any:
        data = next(self._pieces(name, _TEXT_BYTES_MAX), b"")
        try:
            value = json.loads(data)
        except (ValueError, RecursionError):
            raise NotAnImage(f"{name} is not JSON") from None
        if not isinstance(value, dict):
            raise NotAnImage(f"{name} is not a JSON object")
        return value

    def _pieces(self, name: str, at_once: int = _READ_BYTES) -> Iterator[bytes]:
        member = self._members.get(name)
        if member is None:
            raise NotAnImage(f"{name} is missing")
        file = self._tar.extractfile(member)
        assert file is not None, "a plain file"
        while data := file.read(at_once):
            yield data


def _name(digest: str) -> str:
    return "blobs/" + digest.replace(":", "/")

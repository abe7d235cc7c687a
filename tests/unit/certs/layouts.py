"""Archives with an image in them, for one platform or more, as engines write them."""

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from typing import Any


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


class Layout:
    """The files of a layout; change them before ``archive`` to have another."""

    def __init__(self, *platforms: str) -> None:
        self.files: dict[str, bytes] = {}
        self.layers = {
            platform: self.put(f"layer of {platform}".encode()) for platform in platforms
        }
        parts = [self._manifest(platform) for platform in platforms]
        top = parts[0] if len(parts) == 1 else self.put(_json({"manifests": parts}))
        self.digest: str = top["digest"]
        self.files["index.json"] = _json({"manifests": [top]})

    def put(self, data: bytes) -> dict[str, Any]:
        """Its descriptor."""
        self.files[blob(digest(data))] = data
        return {"digest": digest(data), "size": len(data)}

    def _manifest(self, platform: str) -> dict[str, Any]:
        system, _, architecture = platform.partition("/")
        config = self.put(_json({"os": system, "architecture": architecture}))
        return self.put(_json({"config": config, "layers": [self.layers[platform]]}))

    def archive(self) -> bytes:
        """All of it."""
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w") as tar:
            for name, data in self.files.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
        return made.getvalue()


def blob(digest: str) -> str:
    """The name of its file."""
    return "blobs/" + digest.replace(":", "/")


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value).encode()

"""Hatchling's hook for the sdist: man pages and completions in ``share``, for the wheel.

The command line writes them, so this needs sitectl's packages; a wheel made from the sdist needs
only hatchling.
"""

import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

_SHARE: Final = "share"


class SharedFiles(BuildHookInterface[Any]):
    """Writes the files for the duration of the build."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Add the files, unless these sources are an unpacked sdist, which has them."""
        if (Path(self.root) / _SHARE).exists():
            return
        sys.path.insert(0, self.root)  # Hatchling may have been started elsewhere.
        try:
            from deploy import completions, man
        except ModuleNotFoundError as error:
            sys.exit(f"The sdist needs what sitectl imports, {error.name} too. Next: make dev")
        self._written = tempfile.TemporaryDirectory()
        place = Path(self._written.name)
        man.write(place / "man")
        completions.write(place)
        build_data["force_include"][self._written.name] = _SHARE

    def finalize(self, version: str, build_data: dict[str, Any], artifact_path: str) -> None:
        """Remove the files."""
        if hasattr(self, "_written"):
            self._written.cleanup()

"""``python -m deploy``: writes every generated file below ``deploy/`` and the permission tables."""

import sys
from pathlib import Path

from deploy import files, rights

HERE = Path(__file__).parent
PAGE = HERE.parent / rights.PAGE


def main() -> int:
    """Write and print the files that differ; 0."""
    made = {HERE / name: text for name, text in files.all_files().items()}
    made[PAGE] = rights.page(PAGE.read_text())
    for path, text in made.items():
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(path.relative_to(HERE.parent))
    return 0


if __name__ == "__main__":
    sys.exit(main())

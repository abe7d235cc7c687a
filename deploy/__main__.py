"""``python -m deploy``: writes every generated file below ``deploy/`` anew."""

import sys
from pathlib import Path

from deploy import files

HERE = Path(__file__).parent


def main() -> int:
    """Write what differs and say so; 0."""
    for name, text in files.all_files().items():
        path = HERE / name
        if not path.exists() or path.read_text() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            print(f"deploy/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

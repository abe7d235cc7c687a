"""``python -m deploy.signing FILE``: a key that signs releases, and FILE.pub to check them by."""

import sys
from pathlib import Path

from certs.errors import CertError
from certs.release.bundles import new_key


def main(arguments: list[str]) -> int:
    """Make the key pair; 1 and a reason if that fails."""
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        public = new_key(Path(arguments[0]))
    except (CertError, OSError) as error:
        print(f"deploy.signing: {error}", file=sys.stderr)
        return 1
    print(f"Keep {arguments[0]} where nobody else reads it; give {public} to who checks releases.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

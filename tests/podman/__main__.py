"""Whether containers can run on this machine: exit 0, else 1 with the reason in a banner.

A user who is not root gets exit 0 too: the tests leave themselves out then.
"""

import os
import sys

from tests.podman.engine import EngineRefused, missing, why_not


def main() -> int:
    """Ask podman."""
    if os.geteuid():
        print("the podman tests need root: none will run")
        return 0
    reason = missing()
    if not reason:
        from tests.podman.images import base_image

        try:
            reason = why_not(base_image())
        except EngineRefused as refused:
            reason = str(refused)
    if not reason:
        print("podman can run containers here")
        return 0
    bar = "!" * 96
    print(f"{bar}\n!! NO CONTAINER WAS TESTED: podman cannot run here.\n!! {reason}\n{bar}")
    return 1


if __name__ == "__main__":
    sys.exit(main())

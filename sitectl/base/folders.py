"""Names of folders that commands use and advice names."""

from typing import Final

GATEWAYS: Final = "gateways.d"
"""Below a folder of sites: the gateways of this host. No site can have this name."""

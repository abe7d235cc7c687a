"""How an address and its port are written for people, in every room alike."""


def join(host: str, port: int) -> str:
    """``host:port``, an IPv6 address in brackets (RFC 3986, 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def split(address: str) -> tuple[str, int]:
    """The reverse of `join`."""
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)

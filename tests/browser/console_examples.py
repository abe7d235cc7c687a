"""The scenarios built into the console are those of `examples/`.

``python -m tests.browser.console_examples`` writes them again; a test compares the two.
"""

import json
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "router/admin/console/static/lib/simulating/examples.js"
NAMES = {
    "burst": "Burst: a flash crowd",
    "calm": "Calm: half load",
    "three-sites": "Three sites, as the demo",
}
HEAD = """// Made from the files of `examples/` by tests/browser/console_examples.py.

/** @type {{name: string, title: string, text: string}[]} */
export const EXAMPLES = [
"""


def page() -> str:
    """The module's text."""
    return HEAD + "".join(_entry(name, title) for name, title in NAMES.items()) + "];\n"


def _entry(name: str, title: str) -> str:
    lines = (ROOT / "examples" / f"{name}.yaml").read_text().splitlines()
    text = "".join(f"      {json.dumps(line)},\n" for line in [*lines, ""])
    return (
        f"  {{\n    name: {json.dumps(name)},\n    title: {json.dumps(title)},\n"
        f'    text: [\n{text}    ].join("\\n"),\n  }},\n'
    )


if __name__ == "__main__":
    PAGE.write_text(page())

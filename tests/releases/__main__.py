"""``python -m tests.releases``: make `golden.json` again, by the wheel in this directory."""

import json

from tests.releases import GOLDEN, previous, written_by

lines = (json.dumps(sample) for sample in written_by(previous()))
GOLDEN.write_text("[\n" + ",\n".join(lines) + "\n]\n")
print(f"{GOLDEN.name}: {GOLDEN.stat().st_size} bytes")

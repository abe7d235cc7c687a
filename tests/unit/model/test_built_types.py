"""Types that several threads decode first in the same moment end no process."""

import subprocess
import sys

from tests.scenario.harness import ROOT

PROGRAM = """
import sys, threading, types
import msgspec
from router.model.built_types import build_types

TYPES = '''
import msgspec
class Inner(msgspec.Struct):
    number: int
    more: "list[Inner] | None" = None
class Outer(msgspec.Struct):
    one: Inner
    named: dict[str, Inner]
    maybe: Inner | None = None
'''
TEXT = b'{"one": {"number": 1}, "named": {"a": {"number": 2}}, "maybe": {"number": 3}}'
sys.setswitchinterval(1e-6)

def decode(kind, together):
    together.wait()
    assert msgspec.json.decode(TEXT, type=kind).one.number == 1

for number in range(300):
    module = sys.modules[f"types{number}"] = types.ModuleType(f"types{number}")
    exec(TYPES, module.__dict__)
    build_types()
    together = threading.Barrier(4)
    threads = [threading.Thread(target=decode, args=(module.Outer, together)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
"""


def test_types_that_were_built_are_decoded_by_threads_beside_each_other() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, timeout=60, check=True)

"""All cases of what a client may send."""

from tests.corpus import request_bodies, request_heads
from tests.corpus.cases import by_name

CASES = by_name((*request_heads.CASES, *request_bodies.CASES))

"""What `why` prints of the next request, and `top` of the service that is selected."""

from typing import Any

from sitectl import output
from sitectl.candidate_table import candidate_table
from sitectl.sessions import sentences


def why_text(item: dict[str, Any]) -> str:
    """Where the next request goes, and a row for each candidate."""
    decision = item.get("decision") or {}
    where, path = decision.get("site"), decision.get("path") or []
    through = f" through {' > '.join(map(output.safe, path[:-1]))}" if len(path) > 1 else ""
    goes = f"goes to {output.safe(where)}{through}" if where else "goes nowhere"
    reason = output.safe(decision.get("reason"))
    head = (
        f"{output.safe(item.get('service'))}:{item.get('port')} ({item.get('policy')}): "
        f"the next request {goes} ({reason})"
    )
    about_sessions = sentences(item)
    if about_sessions:
        head += f"\n{about_sessions}"
    candidates = item.get("candidates") or []
    if not candidates:
        return head + "\nNo candidates: no site has a target. Try: sitectl service bind"
    table = candidate_table(candidates, has_paths=True)
    return f"{head}\n\n{table}"

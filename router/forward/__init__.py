"""TCP and HTTP sessions between clients, targets and streams of other sites.

A client session (`ingress_tcp`, `ingress_http`) asks `dispatch` for one `Leg`. `dispatch` selects,
queues, retries, and builds it from attempts: a leg to a target of this site (`target_tcp`,
`target_http`, behind `admission`) or a leg over a stream to another site (`remote`). A stream that
ends here (`egress`) is joined to a target leg. Everything is callbacks; a slot is given back in
exactly one place, when its leg is done.
"""

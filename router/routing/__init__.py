"""Link-state routing: from signed link-state adverts (LSAs) to one immutable route table.

In: adjacencies, this site's services, LSAs and acks of neighbors, load reports, the time.
Out: LSAs and acks to send, a new `RouteTable` when something changed, faults as values.
Pure: `RoutingCore` receives everything by calls and asks for nothing. Invariants:
- an LSA counts only with the signature of the key whose hash is its site id;
- newer means (epoch, sequence); a stored LSA is passed on byte for byte;
- an adjacency counts only when both ends report it, at the larger of the two costs;
- the table is swapped whole and never changed;
- an edge has a table of the same kind, made from the rows that its one neighbor sends.

Reading order: in `adverts` lsa (values, codec), lsdb (storage), flood (which neighbor needs which
part) and database_digest; spf, origin (our own LSAs), table and `build`, core (joins them), load;
in `edges` offers, edge_updates and attached (the sending router), edge_rows, edge_view and edge
(the receiving edge). Sources: RFC 2328 (13, 16.1), RFC 5304 in spirit.
"""

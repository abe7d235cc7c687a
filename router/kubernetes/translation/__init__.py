"""What objects of a namespace ask for, as documents. Pure.

In: a `Snapshot`: Skupper's ConfigMaps, tokens, annotated workloads and Services, labelled
ConfigMaps with our documents. Out: a `NamespacePicture` (`translate.translate`): documents, wishes
for Services, tokens, requests, and an error for each field that cannot be used.

Invariants: nothing raises, whatever the objects hold; one meaning for routers, `sitectl` and the
site controller; a broken object stops no other.
"""

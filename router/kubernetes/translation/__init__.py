"""Objects of a namespace, translated to documents. Pure.

In: a `Snapshot`: Skupper's ConfigMaps, tokens, annotated workloads and Services, labeled
ConfigMaps with our documents. Out: a `NamespacePicture` (`translate.translate`): documents, wishes
for Services, tokens, requests, and an error for each unusable field.

Invariants: nothing raises, whatever the objects hold; routers, `sitectl` and the site controller
use the same meanings; a broken object stops no other.
"""

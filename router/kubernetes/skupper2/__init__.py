"""Skupper v2's objects in a namespace whose cluster serves their kinds (`skupper.io`). Pure.

In: a `Snapshot` with the objects, the picture that v1's objects and documents make. Out: one
picture of both (`reading`), who acts on the namespace's objects (`controller_choice`), and the
`/status` of each object as Skupper's own tools read it (`statuses`).

What an object means is decided by `router.documents.skupper2`, the same code as for files.
Invariants: of a name that both say, v1's object or document counts, and the object of v2 says so;
objects of another controller are left to it; nothing raises, whatever the objects hold.
"""

"""Skupper v2's objects in a namespace whose cluster serves their kinds (`skupper.io`). Pure.

In: a `Snapshot` with the objects, the picture from v1's objects and documents. Out: one picture of
both (`reading`), the controller that acts on the namespace's objects (`controller_choice`), and the
`/status` of each object as Skupper's own tools read it (`statuses`).

`router.documents.skupper2` decides what an object means, with the same code as for files.
Invariants: if both have a name, v1's object or document counts, and the object of v2 reports that;
objects of another controller are left to it; nothing raises, whatever the objects hold.
"""

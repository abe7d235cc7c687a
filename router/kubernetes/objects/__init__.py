"""Objects as the API returns them, and values that the other packages of the room share. Pure.

In: JSON of one object (`objects.Object`), or of a namespace (`objects.Snapshot`). Out: our names
and labels (`names`), kinds (`kinds`), parsed annotation texts (`texts`), addresses of a site
(`addresses`, `console`), findings about an object, and the picture of a namespace as a value.

Invariants: objects have no classes for kinds, so that unknown fields stay; no object is changed.
"""

"""Objects as the API gives them, and the values that all other packages of the room share. Pure.

In: JSON of one object (`objects.Object`), or of a namespace (`objects.Snapshot`). Out: our names
and labels (`names`), kinds (`kinds`), texts of annotations judged (`texts`), addresses of a site
(`addresses`, `console`), findings about an object, and the picture of a namespace as a value.

Invariants: objects have no classes for kinds, so that unknown fields stay; no object is changed.
"""

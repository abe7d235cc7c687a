"""A whole network in one file: sites, links, services, grants, and tests of its rules.

Pure: `values` has the content of a file, `table` its fields, `reading` and `writing` convert from
and to text, `sentences` is the grammar of its tests. `expanding` makes the documents of each site,
`gathering` the reverse; `changes` compares these with the documents of a site.
With input and output: `reach` finds the sites, `survey` reads them, `applying` changes them,
`claiming` gives their links credentials. `judging` runs tests on the routers' own code.
"""

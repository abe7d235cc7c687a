"""A whole network in one file: sites, links, services, grants, and tests of what it allows.

Pure: `values` is what a file says, `table` its fields, `reading` and `writing` are text from and to
it, `sentences` the grammar of its tests. `expanding` makes the documents of each site of it,
`gathering` the reverse; `changes` compares these with what a site has.
With input and output: `reach` finds the sites, `survey` looks at them, `applying` makes them so,
`claiming` gives their links credentials. `judging` runs tests on the routers' own code.
"""

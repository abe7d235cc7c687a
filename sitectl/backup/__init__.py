"""A site in one file: the content of a backup, its seal, and the places to read and write it.

`content` is the neutral model and its rules, pure; `seal` the file around it. `folder_backup`,
`folder_restore` and `namespace` (with `objects`) read and write the two kinds of places; `copies`
checks whether the original lives. A restored site is never more open than before: claims of the
backup are void, revocations only grow (docs/backup.md).

Codes: SW0655 the passphrase, SW0656 the file, SW0657 its version or its bounds, SW0658 the place
to restore to, SW0659 the content.
"""

"""A site in one file: what is in a backup, how it is sealed, where it comes from and goes to.

`content` is the neutral model and its rules, pure; `seal` the file around it; `folder` and
`namespace` (with `objects`, what it writes) read and write the two kinds of places, `copies` looks
whether the original lives. What
comes back is never more open than what was there: claims of the backup are void, revocations only
grow (docs/backup.md).
Codes: SW0655 the passphrase, SW0656 the file, SW0657 its version or its bounds, SW0658 the place
it shall go to, SW0659 what is in it.
"""

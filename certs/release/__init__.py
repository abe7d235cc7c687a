"""The files of a release, as they are verified: the signed list, images in their archives."""

"""The files of a release, for verification: the signed list, images in their archives."""

"""Tokens as text: a Secret in Skupper v1's form, or an AccessToken of v2; bounded when read.

This package knows no CA and no claim: `certs.joining` judges tokens.
"""

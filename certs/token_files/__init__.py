"""Tokens as text: a Secret in Skupper v1's form, or an AccessToken of v2; bounded when read.

They know no CA and no claim: what a token is worth is judged in `certs.joining`.
"""

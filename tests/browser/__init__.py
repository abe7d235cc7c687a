"""The console in a real Chromium, against the real API with a scripted router behind it.

The router answers with the API's own views, so that it cannot drift from them. Every page that a
test opens ends with no violation of the content security policy and no error of its script.
"""

"""What Kubernetes objects mean to a site: Skupper v1's and our own, read and planned. Pure.

Objects are what the API gives, as JSON (`Object`); nothing here talks to an API server. The store
(`control.kubernetes`), `sitectl` and the site controller read and write objects through this room,
so that one meaning exists: `codecs` has what Secrets hold, `api_calls` how an API server is asked.
"""

"""A namespace's site from `init` to `delete`: a module for each verb.

All of them stand on `site_objects`: what the ConfigMap ``skupper-site`` means, and which objects
follow from it.
"""

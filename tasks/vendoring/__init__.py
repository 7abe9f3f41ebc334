"""vendor.yaml and what it pins: plan, fetch, verify, unpack, and the manifest of what was put in place.

May import host and engine.
"""

"""Bringing images to other engines: which layers those have, the archive without them, several hosts, bundles.

May import host and engine.
"""

"""Versions on their way: to other engines and what those have of them, in bundles, to a registry and from it.

May import host and engine.
"""

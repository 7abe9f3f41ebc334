"""Versions from engine to engine, and from and to a registry.

May import `host` and `engine`, and no other wing.
"""

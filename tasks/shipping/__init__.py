"""Versions from engine to engine, and to a registry and from it. May import host and engine."""

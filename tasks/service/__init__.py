"""One service on one engine: its versions, the switch, recovery, locks, health, kept containers.

May import host, engine, settings and recommended.
"""

"""How `inv` starts: installing, Invoke's manners, its exit codes, the settings files that it merges.

May import host, engine and settings.
"""

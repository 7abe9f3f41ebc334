"""What people look at: reports made of what the other wings know, as tables and as JSON. Nothing here changes anything.

May import host, engine, settings, recommended, vendoring, building and service. Only tasks import it.
"""

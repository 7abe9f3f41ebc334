"""The recommended command: docker run's grammar, what is off limits, and the checked command.

May import host and engine.
"""

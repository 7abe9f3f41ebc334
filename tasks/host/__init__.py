"""This machine: its shell, the person at it, signals, text, files, ports, Debian's packages.

May import no other wing.
"""

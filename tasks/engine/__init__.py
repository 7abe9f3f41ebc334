"""The Docker Engine: where it is, reading it, its command lines, its grammars and label names.

May import no other wing.
"""

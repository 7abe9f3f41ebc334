"""invoke.yaml: the model, how it is loaded, and what is said when it is wrong.

May import host and engine.
"""

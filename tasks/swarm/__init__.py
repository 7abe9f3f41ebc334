"""One version on every node of a Docker Swarm: the stack file, the rollout node by node, what runs where.

May import host, engine, settings, recommended and service.
"""

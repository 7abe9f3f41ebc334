"""From a source to an image: git, the release, its content, the stamp, the Dockerfile, the build.

May import host, engine, settings and vendoring.
"""

"""PostgreSQL and Redis for a machine that has none, and the launcher behind `make run`.

Nothing here imports Django or one of our apps: the launcher starts what they need, then starts them as processes.
`python -m studio.embedded run` is its command line.
"""

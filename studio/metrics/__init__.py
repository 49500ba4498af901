"""What `/metrics` tells, in Prometheus' format: what processes count, and what the database and Redis know.

`counting` counts into files that all processes of a machine share (`seats`); apps register what is read at a scrape
with `readings.register`.
"""

"""Connections to Redis: one pool for quick answers with short time-outs, one for workers that block."""

from functools import cache

import redis
from django.conf import settings


@cache
def client() -> "redis.Redis":
    """For requests: a server that does not answer within a second counts as away."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=1.0)


@cache
def blocking_client() -> "redis.Redis":
    """For queues and workers, whose reads wait as long as they must."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=5.0)

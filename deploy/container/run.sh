#!/bin/sh
# What a container of Parley's image runs: `run.sh web`, `run.sh training`, …; anything else is a command of manage.py.
set -eu

# trust FILE: the authorities of this machine, and one more. `parley` and Rasa ask for the file by these variables.
trust() {
    cat /etc/ssl/certs/ca-certificates.crt "$1" >/tmp/authorities.pem
    export SSL_CERT_FILE=/tmp/authorities.pem REQUESTS_CA_BUNDLE=/tmp/authorities.pem
}

# from_files NAME…: variables of programs that do not read NAME_FILE themselves.
from_files() {
    for name in "$@"; do
        eval "file=\${${name}_FILE:-}"
        [ -z "$file" ] || export "$name=$(cat "$file")"
    done
}

[ -z "${PARLEY_AUTHORITY:-}" ] || trust "$PARLEY_AUTHORITY"
export HOME=/tmp # the only place beside /data that can be written

role=${1:-web}
[ $# = 0 ] || shift
case $role in
    web)
        exec python -m gunicorn --config studio/gunicorn_conf.py --bind "$PARLEY_BIND:${PORT:-8000}" \
            studio.wsgi:application
        ;;
    migrate)
        python manage.py migrate --no-input
        python manage.py bootstrap "$@" >/dev/null # it prints a link that signs in, and logs are kept
        [ -z "${PARLEY_ENVIRONMENTS:-}" ] || python manage.py apply_environments
        [ -z "${PARLEY_KAFKA:-}" ] || python manage.py add_kafka_source "$PARLEY_KAFKA"
        ;;
    training | background)
        exec python manage.py worker "$role"
        ;;
    running) # the web reaches its slots under the name of this very container
        export PARLEY_SLOT_HOST="${PARLEY_SLOT_HOST:-$(hostname)}"
        exec python manage.py worker running
        ;;
    rasa) # a Rasa server, connected as the page Connection of its environment says
        from_files RASA_AUTH_TOKEN RASA_X_TOKEN RASA_DATABASE_PASSWORD
        PARLEY_REPLICA=$(hostname)
        export PARLEY_REPLICA RASA_TELEMETRY_ENABLED=false MPLCONFIGDIR=/tmp
        cd /tmp
        # entry.py puts the token in its place, so that it stands on no command line.
        exec "$PARLEY_RASA/${PARLEY_RASA_VERSION:-3.6.21}/bin/python" /srv/parley/studio/rasa/entry.py \
            run --enable-api --port 5005 '--auth-token=$(RASA_AUTH_TOKEN)' --endpoints "$RASA_ENDPOINTS" --credentials "$RASA_CREDENTIALS"
        ;;
    manage) # a command whose name is that of a role
        exec python manage.py "$@"
        ;;
    *)
        exec python manage.py "$role" "$@"
        ;;
esac

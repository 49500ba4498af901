#!/bin/sh
# Make every secret that docker-compose.yml needs, each a file of the folder `secrets/`, and name the folder in .env.
# What is there already stays. Needs openssl; `scripts/secrets.sh --help` says more.
set -eu
cd "$(dirname "$0")/.."
umask 022

if [ "${1:-}" = --help ]; then
    echo "usage: scripts/secrets.sh [folder]    (secrets/ when left out)"
    echo "A certificate of your own: put it into the folder as tls_certificate and tls_key before."
    exit 0
fi
command -v openssl >/dev/null || { echo "scripts/secrets.sh needs openssl: install it first." >&2; exit 1; }
[ -f .env ] || { echo "There is no .env yet: cp .env.example .env" >&2; exit 1; }

setting() { # NAME DEFAULT: as docker-compose.yml reads it
    value=$(sed -n "s/^$1=//p" .env | tail -1)
    echo "${value:-$2}"
}

# The folder is closed to others; the files in it can be read by the containers, each under a user of its own.
folder=${1:-$(setting PARLEY_SECRETS ./secrets)}
mkdir -p "$folder"
chmod 700 "$folder"

keep() { # NAME: standard input, unless the file is there
    [ -s "$folder/$1" ] && { cat >/dev/null; return; }
    cat >"$folder/$1.new"
    chmod 444 "$folder/$1.new"
    mv "$folder/$1.new" "$folder/$1"
}

for name in postgres_superuser_password database_password keycloak_database_password keycloak_operator_password \
    rasa_database_password redis_password s3_secret_access_key oidc_client_secret secret_key admin_password \
    rasa_x_token rasa_production_token rasa_worker_token; do
    openssl rand -hex 32 | keep "$name"
done
openssl rand -base64 32 | tr +/ -_ | keep encryption_keys
echo "postgresql://parley:$(cat "$folder/database_password")@postgres:5432/parley" | keep database_url
echo "redis://:$(cat "$folder/redis_password")@redis:6379/0" | keep redis_url

host=$(setting PARLEY_HOST parley.localhost)
if [ ! -s "$folder/tls_certificate" ]; then
    made=$(mktemp -d)
    trap 'rm -rf "$made"' EXIT
    openssl req -x509 -newkey rsa:2048 -nodes -days 825 -subj "/CN=$host" -addext "subjectAltName=DNS:$host" \
        -keyout "$made/key" -out "$made/certificate" 2>/dev/null
    keep tls_key <"$made/key"
    keep tls_certificate <"$made/certificate"
    echo "A certificate for $host was made that browsers do not know: see docs/containers.md for one that they do."
fi
keep tls_authority <"$folder/tls_certificate" # what Parley itself trusts when it calls Keycloak

if ! grep -q "^PARLEY_SECRETS=$folder\$" .env; then
    sed "/^PARLEY_SECRETS=/d" .env >.env.new
    echo "PARLEY_SECRETS=$folder" >>.env.new
    cat .env.new >.env
    rm .env.new
fi
echo "The secrets are in $folder. Keep a copy elsewhere: without encryption_keys a backup of the database is of little use."

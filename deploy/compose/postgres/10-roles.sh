#!/bin/bash
# Run by the image once, into an empty folder: a role and a database for each who needs one.
set -eu
psql --set ON_ERROR_STOP=1 --no-psqlrc --quiet --username postgres --dbname postgres <<'SQL'
-- psql reads the passwords itself: on its command line every user of the machine would see them.
\set parley `cat /run/secrets/database_password`
\set keycloak `cat /run/secrets/keycloak_database_password`
\set rasa `cat /run/secrets/rasa_database_password`
-- CREATEROLE: Parley closes its audit log to itself, and gives each environment's Rasa a role of its own.
CREATE ROLE parley LOGIN CREATEROLE PASSWORD :'parley';
CREATE DATABASE parley OWNER parley;
CREATE ROLE keycloak LOGIN PASSWORD :'keycloak';
CREATE DATABASE keycloak OWNER keycloak;
-- What the Rasa servers remember of their dialogues.
CREATE ROLE rasa LOGIN PASSWORD :'rasa';
CREATE DATABASE rasa_production OWNER rasa;
CREATE DATABASE rasa_worker OWNER rasa;
REVOKE CONNECT ON DATABASE postgres, template1, parley, keycloak, rasa_production, rasa_worker FROM PUBLIC;
SQL

#!/bin/bash
# The official image's interface: POSTGRES_USER, _PASSWORD, _DB (each also as _FILE), POSTGRES_INITDB_ARGS,
# POSTGRES_HOST_AUTH_METHOD, PGDATA, /docker-entrypoint-initdb.d; arguments that start with a hyphen go to postgres.
set -euo pipefail

# from_file NAME DEFAULT: the value of NAME, or the content of the file that NAME_FILE names.
from_file() {
  local file="${1}_FILE" default="${2:-}"
  if [ -n "${!file:-}" ]; then
    [ -z "${!1:-}" ] || { echo >&2 "error: both $1 and $file are set"; exit 1; }
    export "$1=$(<"${!file}")"
    unset "$file"
  else
    export "$1=${!1:-$default}"
  fi
}

# The database directory: made with the superuser, whose password reaches initdb through a pipe, never through argv.
make_cluster() {
  if [ -z "$POSTGRES_PASSWORD" ] && [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then
    echo >&2 "Error: Database is uninitialized and superuser password is not specified. Set POSTGRES_PASSWORD."
    exit 1
  fi
  eval "set -- ${POSTGRES_INITDB_ARGS:-}"
  initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") "$@"
  printf '\nhost all all all %s\n' "${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}" >>"$PGDATA/pg_hba.conf"
}

sql() {
  PGHOST="" psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc --username "$POSTGRES_USER" "$@"
}

run_init_files() {
  local file
  for file in /docker-entrypoint-initdb.d/*; do
    case "$file" in
      *.sh) if [ -x "$file" ]; then "$file"; else . "$file"; fi ;;
      *.sql) sql --dbname "$POSTGRES_DB" -f "$file" ;;
      *.sql.gz) gunzip -c "$file" | sql --dbname "$POSTGRES_DB" ;;
    esac
  done
}

# First start: a server that nobody outside can reach makes the database and runs the initial files.
initialize() {
  make_cluster
  pg_ctl --silent --wait -o "-c listen_addresses='' $*" start
  if [ "$POSTGRES_DB" != postgres ]; then
    sql --dbname postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
  fi
  run_init_files
  pg_ctl --silent --wait -m fast stop
  echo 'PostgreSQL init process complete; ready for start up.'
}

if [ "${1:0:1}" = - ]; then
  set -- postgres "$@"
fi
[ "$1" = postgres ] || exec "$@"

if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" /var/run/postgresql
  chmod 700 "$PGDATA"
  chmod 3777 /var/run/postgresql || true
  find "$PGDATA" \! -user postgres -exec chown postgres '{}' +
  find /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

from_file POSTGRES_PASSWORD
from_file POSTGRES_USER postgres
from_file POSTGRES_DB "$POSTGRES_USER"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initialize "${@:2}"
fi
unset POSTGRES_PASSWORD
exec "$@"

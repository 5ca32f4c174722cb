set -e
# Texts are ordered the same on every machine, as by infra/runtime; PostgreSQL 16 has no provider of its own for it.
major=$(/usr/local/postgres/postgres --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
if [ "$major" -ge 17 ]; then locale="--locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C"; else locale=--no-locale; fi
umask 077
printf '%s' "$PASSWORD" > /tmp/password
/usr/local/postgres/initdb -D /data/db -U hub --pwfile=/tmp/password -A scram-sha-256 -E UTF8 $locale
rm /tmp/password
echo 'create database hub;' | /usr/local/postgres/postgres --single -D /data/db template1
exec /usr/local/postgres/postgres -D /data/db -c listen_addresses=127.0.0.1 -c port="$PORT" -c unix_socket_directories= \
  -c max_connections=200 -c shared_buffers=128MB -c jit=off -c timezone=UTC -c log_timezone=UTC

umask 077
printf 'bind 127.0.0.1\nport %s\nrequirepass %s\ndir /data\nsave ""\nappendonly no\ndaemonize no\n' "$PORT" "$PASSWORD" > /data/valkey.conf
exec valkey-server /data/valkey.conf

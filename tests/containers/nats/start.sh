printf 'host: "127.0.0.1"\nport: %s\njetstream { store_dir: "/data", sync_interval: always }\n' "$PORT" > /data/nats.conf
exec nats-server -c /data/nats.conf

set -e
usermod --uid "$ACCOUNT" store
chown store /srv/store/data
exec /usr/sbin/sshd -D -e -f /sshd_config -p "$PORT"

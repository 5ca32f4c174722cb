exec /usr/sbin/sshd -D -e -f /sshd_config -p "$PORT"

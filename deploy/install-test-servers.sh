#!/bin/sh
# Installs what the tests use and this Debian machine lacks: PostgreSQL, Chromium, docker-compose.
# Does nothing elsewhere, without root, or with VIGIE_NO_APT=1: the tests then use what they find.
set -eu

[ "${VIGIE_NO_APT:-}" != 1 ] || exit 0
[ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || exit 0

missing=""
ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$missing postgresql"
command -v chromium >/dev/null || missing="$missing chromium"
command -v docker-compose >/dev/null || missing="$missing docker-compose"
[ -n "$missing" ] || exit 0

echo "Installing by apt (VIGIE_NO_APT=1 to do without):$missing" >&2
apt-get update -qq
DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null

#!/bin/sh
# Writes tonight's backup into a folder, reads it back into a folder of its own, and removes those older than a month.
#   backup.sh FOLDER
set -eu
folder=$1
file=$folder/vigie-$(date +%F).zip
vigie backup "$file"
check=$(mktemp -d -p "$folder")
trap 'rm -rf "$check"' EXIT
VIGIE_DATA_DIR=$check VIGIE_DATABASE_URL= VIGIE_LOG_URL= vigie restore "$file"
find "$folder" -name 'vigie-*.zip' -mtime +30 -delete

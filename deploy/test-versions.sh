#!/bin/sh
# Run the fast tests on each named version of Python that this machine has: test-versions.sh 3.12 3.13
set -eu

# The newest interpreter of a version, on the PATH or installed by pyenv; nothing where there is none.
find_python() {
	for candidate in "python$1" "$HOME/.pyenv/versions/$1."*/bin/"python$1"; do
		if "$candidate" -c 'import sqlite3, ssl' 2>/dev/null; then
			found=$candidate
		fi
	done
}

for version in "$@"; do
	found=
	find_python "$version"
	if [ -z "$found" ]; then
		echo "Python $version is not on this machine: not tested"
		continue
	fi
	echo "Python $version"
	make --no-print-directory fast PYTHON="$found"
done

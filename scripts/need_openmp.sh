#!/bin/sh
# See to it that LightGBM can be imported: its wheel links to the OpenMP library, which a bare
# Debian lacks. Installs it where we may, else says how.
#
#     scripts/need_openmp.sh PYTHON
set -eu

if [ "$(uname)" != Linux ] || "$1" -c 'import ctypes; ctypes.CDLL("libgomp.so.1")' 2>/dev/null; then
    exit 0
fi
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends libgomp1
    exit 0
fi
echo "LightGBM needs libgomp.so.1, which this machine lacks: sudo apt-get install libgomp1" >&2
exit 1

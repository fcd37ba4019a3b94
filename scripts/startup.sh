#!/bin/sh
# Set what has to be set before a process starts, then become the command that follows:
#
#     scripts/startup.sh gunicorn -c gunicorn.conf.py src.api.scoring_api:app
#
# Whatever the environment already says stays.
set -eu

if [ "$#" -eq 0 ]; then
    echo "usage: startup.sh COMMAND [ARGUMENT...]" >&2
    exit 2
fi

# glibc keeps up to 8 memory arenas per core of the host, and hardly gives any of it back.
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-2}"
export MALLOC_TRIM_THRESHOLD_="${MALLOC_TRIM_THRESHOLD_:-131072}"

# Thread pools are sized for the host's cores; here half of one is ours.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"
export OPENBLAS_NUM_THREADS="${OPENBLAS_NUM_THREADS:-1}"
export MKL_NUM_THREADS="${MKL_NUM_THREADS:-1}"
export NUMEXPR_NUM_THREADS="${NUMEXPR_NUM_THREADS:-1}"

# What is printed is seen at once. PYTHON_UNBUFFERED, without this spelling, does nothing.
export PYTHONUNBUFFERED="${PYTHONUNBUFFERED:-1}"

# A core file would fill the disk, and hold people's data.
# shellcheck disable=SC3045 # not in POSIX, but in every shell that is some system's sh
ulimit -c 0

exec "$@"

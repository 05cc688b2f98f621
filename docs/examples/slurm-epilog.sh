#!/bin/bash
# Epilog of slurm.conf: what slurm-prolog.sh has placed is given back.
set -u
box=${FETCHFS_JOBS:=/run/fetchfs-jobs}/$SLURM_JOB_ID
[ -d "$box" ] || exit 0
fetchfs release "$box" && rm -rf --one-file-system "$box"
exit 0

#!/bin/bash
# Prolog of slurm.conf. A job submitted with --comment=fetchfs:FILE finds what the specification FILE asks for in
# /run/fetchfs-jobs/JOBID.
set -u
[[ ${SLURM_JOB_COMMENT-} == fetchfs:* ]] || exit 0
box=${FETCHFS_JOBS:=/run/fetchfs-jobs}/$SLURM_JOB_ID
umask 022
mkdir -p "$box" && chown "$SLURM_JOB_UID" "$box" || exit 1

# read with the rights of the user, not of root
as_user=(setpriv --reuid="$SLURM_JOB_UID" --regid="$SLURM_JOB_GID" --init-groups --)
spec=$("${as_user[@]}" cat -- "/$SLURM_JOB_WORK_DIR/${SLURM_JOB_COMMENT#fetchfs:}") &&
	fetchfs prepare --user "$SLURM_JOB_USER" --spec - "$box" <<<"$spec" && exit 0

# a failing prolog would take the node away, for a name that a user misspelt
scancel "$SLURM_JOB_ID"

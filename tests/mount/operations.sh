#!/bin/bash
# What docs/operations.md tells operators to type does what it says, in that order.
# shellcheck disable=SC2016 # what is not expanded is meant
[ "$(id -u)" -ne 0 ] || . "$(dirname "$0")/../support/namespace.sh" # which nobody else's mounts are copied from
. "$(dirname "$0")/../support/lib.sh"
need_fuse
need_program jq getfattr

start_origin
random_file 300k "$ORIGINROOT/app-1.2.tar.gz" app
random_file 2M "$ORIGINROOT/base.img" base
mkdir "$WORK/bin" "$WORK/there"
ln -s "$FETCHFS" "$WORK/bin/fetchfs"
export PATH=$WORK/bin:$PATH FETCHFS_CACHE=$CACHE FETCHFS_CONFIG=$CONFIG
mounts+=("$MNT") # whoever mounts it

# Its blocks, one a file, with what a test has in the place of what a machine has.
sed -e "s|/mnt/fetchfs/https/releases.example.org|$MNT/${ORIGIN/:\//}|g" -e "s|/mnt/fetchfs|$MNT|g" \
	-e "s|/var/cache/fetchfs|$CACHE|g" -e "s|/tmp/other|$WORK/other|g" \
	-e "s|https://releases.example.org|$ORIGIN|g" "$FETCHFS_SOURCE/docs/operations.md" |
	awk -v to="$WORK/block" '/^```sh$/ { n++; on = 1; next } /^```$/ { on = 0 } on { print >(to "." n) }'

# leaves FILE: the lines that may name something outside of $WORK, where commands begin and stay: another
# absolute path, ~, .., or what only a shell knows.
leaves() {
	sed -e "s|$WORK/[[:alnum:]]|x|g" -e 's|[a-z]*://[[:alnum:]]|x|g' "$1" |
		grep -nE '[$`~]|\.\.|(^|[^[:alnum:]_.*/-])/|(^|[^[:alnum:]_./-])(cd|eval|sudo) '
}
for line in 'rm /var/lib/x' 'cat </etc/passwd' 'x="/y"' 'x --to=/y' 'rm ../x' 'cp a ~/b' 'rm "$HOME/x"' 'cd ..' \
	"rm -r $WORK/../x" "mv $WORK /y" 'x file:///y /y'; do
	leaves <(echo "$line") >/dev/null || fail "not refused: $line"
done
for block in "$WORK"/block.*; do
	! leaves "$block" || fail "${block##*/} may leave $WORK"
done

# A df elsewhere on the machine holds each mount for the moment in which it looks at it, which fusermount3
# finds later than we do: a block that began with that is typed again.
typed() {
	status=0
	(cd "$WORK/there" && timeout 120 bash -eu "$WORK/block.$1") >"$WORK/out" 2>"$WORK/err" </dev/null || status=$?
	[ "$status" -eq 0 ] || [[ $(head -n 1 "$WORK/block.$1") != "fetchfs unmount "* ]] ||
		! grep -Eq 'files in it are in use|fusermount3 failed' "$WORK/err"
}

# type N: the commands of the n-th block, of which none fails
type() {
	wait_for 20 typed "$1" || :
	[ "$status" -eq 0 ] || fail "block $1: $status $(<"$WORK/out") $(<"$WORK/err")"
}

# told REGEX: the block before said so
told() {
	grep -Eq -- "$1" "$WORK/out" || fail "nothing of $1: $(<"$WORK/out")"
}

[ "$(find "$WORK" -name 'block.*' | wc -l)" -eq 13 ] || fail "it has other blocks"
say "ready, mounted, sized, warmed"
type 1
told '^ok +cache '
type 2
type 3
told '^#?min_free = '
told '^used '
type 4
told "^complete .* $ORIGIN/base.img\$"

say "looked at"
type 5
told '"pinned": [1-9]'
grep -q '^fetchfs_build_info' "$WORK/there/fetchfs.prom" || fail "no metrics"
grep -q '<section class="largest">' "$WORK/there/fetchfs.html" || fail "no report"
[ "$(stat -c %a "$WORK/there/fetchfs.html")" = 600 ] || fail "the report is for all to read"
# On a machine that is busy the origin answers later than an open waits, and the next one asks again.
said_404() {
	typed 6 && grep -q 404 "$WORK/out"
}
wait_for 20 said_404 || fail "block 6: $status $(<"$WORK/out") $(<"$WORK/err")"
told 'policy +forbidden'
type 7

say "upgraded, carried, verified"
type 8
mountpoint -q "$MNT" || fail "it is not mounted"
type 9
[ "$("$FETCHFS" --cache "$WORK/other" ls | wc -l)" -eq 2 ] || fail "not all came"
type 10
type 11
type 12
told "^$ORIGIN/base.img\$"
type 13
[ ! -e "$CACHE" ] || fail "the cache is there"
! mountpoint -q "$MNT" || fail "the mount is there"
settle_origin
[ "$(origin_requests GET /base.img)" -eq 1 ] || fail "fetched again"

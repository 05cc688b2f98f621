# shellcheck shell=bash
# Sourced after lib.sh by the tests of prepare, release, sandboxes and gc that need root.

# The task's user, who has no file that the test did not give it.
TASK=65534

as_task() {
	setpriv --reuid=$TASK --regid=$TASK --clear-groups -- "$@"
}

# make_box NAME [USER]: an empty directory of the task's user, or another's; its path is $box.
make_box() {
	box=$WORK/$1
	mkdir "$box"
	chown "${2-$TASK}" "$box"
}

# artifacts NAME…: files of the origin, each of its own bytes; their URIs are in $uris.
artifacts() {
	local name
	uris=()
	for name; do
		[ -e "$WWW/$name" ] || random_file 300K "$WWW/$name" "$name"
		uris+=("$HTTP/$name")
	done
}

# same NAME [FILE]: what is in the box as NAME has the bytes of the origin's file.
same() {
	cmp "$box/$1" "$WWW/${2-$1}" || fail "$1: other bytes"
}

# What is in the box, in a line.
contents() {
	(cd "$box" && find . -mindepth 1 | sort | tr '\n' ' ')
}

contents_are() {
	[ "$(contents)" = "$1" ] || fail "there is $(contents)"
}

# no_mounts [BELOW]: nothing is mounted there, for us.
no_mounts() {
	[ -z "$(mounts_below "${1-$WORK}")" ] || fail "mounted: $(mounts_below "${1-$WORK}")"
}

# How many files the cache believes to be in sandboxes.
leases() {
	fetchfs sandboxes --json | wc -l
}

leases_are() {
	[ "$(leases)" -eq "$1" ] || fail "leases: $(fetchfs sandboxes --json)"
}

# in_index SQL: what nobody can do but by the index. (Nothing else has it open.)
in_index() {
	python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute(sys.argv[2])
db.commit()' "$CACHE/index.db" "$1"
}

# The cached bytes of URI are those of the origin's FILE, and were not fetched again.
cached_is() {
	local before
	settle_nginx
	before=$(requests GET "/$2")
	fetchfs cat "$1" | cmp - "$WWW/$2" || fail "$2: the cached bytes are others"
	settle_nginx
	[ "$(requests GET "/$2")" -eq "$before" ] || fail "$2: fetched again"
}

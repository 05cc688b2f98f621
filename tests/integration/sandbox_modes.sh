#!/bin/bash
# Whose item is no executable gets a file that is none, by every method, though others have asked
# for the same URI as one; and what the others have, and the mount shows, stays as it is.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sandbox.sh"
need_root
need_fuse
need_program python3 jq setpriv

start_nginx
configure() {
	printf '%s\n' '[cache]' "hardlink = $1" '[policy]' "allow = $HTTP/" '[fetch]' 'ttl = 1h' 'retries = 0' >"$CONFIG"
}
configure no
artifacts run
uri=$HTTP/run

mode_is() {
	[ "$(stat -c %a "$1")" = "$2" ] || fail "$1: mode $(stat -c %a "$1"), not $2"
}

# How many files the cache has of it.
files_are() {
	local files=("$CACHE"/objects/*/*)
	[ ${#files[@]} -eq "$1" ] || fail "not $1: ${files[*]}"
}

# anew: the cache has an executable only
anew() {
	fetchfs -q evict "$uri" 2>/dev/null || :
	fetchfs fetch --executable "$uri"
	files_are 1
}

is_executable() {
	fetchfs stat --json "$uri" | jq -e .executable >/dev/null || fail "it is none any more"
}

# both METHOD USER: two boxes, first of whom wants an executable
both() {
	jq -n --arg uri "$uri" '[{value: $uri, executable: true}]' |
		fetchfs prepare --method "$1" --user "$2" --spec - "$WORK/first"
	mode_is "$WORK/first/run" 555
	fetchfs prepare --method "$1" --user "$2" "$WORK/second" "$uri"
	mode_is "$WORK/second/run" 444
	cmp "$WORK/second/run" "$WWW/run" || fail "other bytes"
	mode_is "$WORK/first/run" 555
	is_executable
}

make_box first
make_box second
for method in bind hardlink auto; do
	say "$method"
	anew
	both $method nobody
	! as_task "$WORK/second/run" 2>/dev/null || fail "it is executed"
	files_are 2
	fetchfs release "$WORK/first"
	fetchfs release "$WORK/second"
done

say "auto, where that may be a hardlink"
configure yes
anew
both auto nobody
cp --reflink=always "$WWW/run" "$CACHE/reflinked" 2>/dev/null ||
	[ "$(stat -c %h "$WORK/second/run")" -eq 2 ] || fail "no hardlink"
rm -f "$CACHE/reflinked"
fetchfs release "$WORK/first"
fetchfs release "$WORK/second"

say "another user, of whom the cache has no file"
anew
chown 4000 "$WORK/second"
fetchfs prepare --method bind --user 4000 "$WORK/second" "$uri"
mode_is "$WORK/second/run" 444
fetchfs release "$WORK/second"
chown $TASK "$WORK/second"
is_executable

# is_due: the cache has an executable only, of which the origin is to be asked
is_due() {
	anew
	in_index "UPDATE entry SET expires = 0, verified = verified - 60"
}

say "what the origin has to confirm"
is_due
fetchfs prepare --method bind --user nobody "$WORK/second" "$uri"
mode_is "$WORK/second/run" 444
fetchfs release "$WORK/second"
is_executable

say "both at once, by processes of their own and in one: one download"
fetchfs evict "$uri"
settle_nginx
before=$(requests GET /run)
jq -n --arg uri "$uri" '[{value: $uri, executable: true}]' |
	fetchfs prepare --method bind --user nobody --spec - "$WORK/first" &
first=$!
jq -n --arg uri "$uri" '[{value: $uri, output_file: "run"}, {value: $uri, output_file: "x", executable: true},
	{value: $uri, output_file: "copy", method: "copy"}]' |
	fetchfs prepare --method bind --user nobody --spec - "$WORK/second"
wait $first
mode_is "$WORK/first/run" 555
mode_is "$WORK/second/run" 444
mode_is "$WORK/second/x" 555
mode_is "$WORK/second/copy" 644
settle_nginx
[ "$(requests GET /run)" -eq $((before + 1)) ] || fail "$(($(requests GET /run) - before)) downloads"
fetchfs release "$WORK/first"
fetchfs release "$WORK/second"

say "copies and the mount need no second file, and the mount shows it as before"
anew
fetchfs prepare --method copy --user nobody "$WORK/second" "$uri"
mode_is "$WORK/second/run" 644
fetchfs release "$WORK/second"
files_are 1
start_mount
shown=$MNT/${HTTP/:\/\///}/run
cmp "$shown" "$WWW/run"
mode_is "$shown" 555
files_are 1
fetchfs prepare --method bind --user nobody "$WORK/second" "$uri"
mode_is "$WORK/second/run" 444
mode_is "$shown" 555
cmp "$shown" "$WWW/run"
fetchfs release "$WORK/second"
stop_mount

say "what stands in for an origin that does not answer"
is_due
kill "$(<"$WORK/nginx.pid")"
fetchfs prepare --method bind --user nobody "$WORK/second" "$uri"
mode_is "$WORK/second/run" 444
fetchfs release "$WORK/second"
no_debris

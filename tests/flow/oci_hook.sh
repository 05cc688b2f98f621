#!/bin/bash
# What oci-hook makes of a runtime that says something else, or nothing.
. "$(dirname "$0")/../support/lib.sh"
need_program jq

bundle=$WORK/bundle
mkdir -p "$bundle/rootfs"
hook() {
	timeout 60 "${fetchfs[@]}" oci-hook "$@" 2>"$WORK/stderr"
}
state() {
	jq -n --arg bundle "$bundle" --arg uris '[{"value": "http://127.0.0.1:1/a"}]' "{ociVersion: \"1.0.2\", id: \"x\",
		status: \"creating\", pid: 1, bundle: \$bundle, annotations: {\"fetchfs.uris\": \$uris}} ${1-}"
}
config() {
	jq -n "{root: {path: \"rootfs\"}} ${1-}" >"$bundle/config.json"
}
# refused REGEX [STAGE]: stdin
refused() {
	! hook "${2-createRuntime}" || fail "taken: $1"
	grep -Eq -- "$1" "$WORK/stderr" || fail "not /$1/: $(<"$WORK/stderr")"
	[ "$(wc -l <"$WORK/stderr")" -eq 1 ] || fail "not one line: $(<"$WORK/stderr")"
}

say "no state, or half of one, or something else"
config ""
refused 'state: ' </dev/null
refused 'state: ' <<<'{"bundle": "/x"'
refused 'not an object' <<<'[]'
refused 'bundle: must be' <<<'{}'
refused 'bundle: must be a string' <<<'{"bundle": 7}'
refused 'bundle: must be an absolute' <<<'{"bundle": "x"}'
refused 'state: ' <<<'{"bundle": "/x\u0000y"}'
refused 'state: ' < <(head -c 100000 /dev/zero | tr '\0' '[')
refused 'too large' < <(head -c 40M /dev/zero | tr '\0' ' ')
refused 'uris: must be a string' < <(state '* {annotations: {"fetchfs.uris": []}}')
refused 'pid: is missing' < <(state '| del(.pid)')

say "a bundle that is none"
rm "$bundle/config.json"
refused 'config.json: No such file' < <(state)
for text in '' '[]' '{' '{}' '{"root": {}}' '{"root": {"path": 1}}'; do
	echo "$text" >"$bundle/config.json"
	refused 'config.json: ' < <(state)
done
config '+ {process: {user: {uid: -1}}}'
refused 'uid' < <(state)
config '+ {root: {path: "/nowhere/at/all"}}'
refused '/nowhere/at/all' < <(state "+ {pid: $$}")

say "no hardlinks: whose root may write to the files of all"
config '+ {process: {user: {uid: 0}}}'
refused 'x: no hardlink' < <(state "* {pid: $$, annotations: {\"fetchfs.method\": \"hardlink\",
	\"fetchfs.uris\": \"[{\\\"value\\\": \\\"http://127.0.0.1:1/x\\\"}]\"}}")

say "a process that is gone"
config ""
sleep 0 &
wait $!
refused "/proc/$!/ns/mnt" < <(state "+ {pid: $!}")

rm -rf "$CACHE"
say "without an annotation nothing is done, and nothing needed"
for stage in createRuntime createContainer poststop ''; do
	state '| del(.annotations)' | hook $stage || fail "$stage: $(<"$WORK/stderr")"
	[ ! -s "$WORK/stderr" ] || fail "$stage: said: $(<"$WORK/stderr")"
done

say "… but what it would be read from is missed"
rm "$bundle/config.json"
for stage in createRuntime createContainer ''; do
	state '| del(.annotations)' | hook $stage || fail "$stage: $(<"$WORK/stderr")"
	grep -qxE 'fetchfs: oci-hook: read .*/bundle/config.json: No such file or directory: nothing is done' \
		"$WORK/stderr" || fail "$stage: said: $(<"$WORK/stderr")"
done
state '| del(.annotations)' | hook poststop || fail "poststop: $(<"$WORK/stderr")"
[ ! -e "$CACHE" ] || fail "a cache was made"

say "the annotations of config.json count, too"
config '+ {annotations: {"fetchfs.uris": "x"}}'
refused 'fetchfs.uris: spec' < <(state '| del(.annotations)')

say "poststop never fails"
for text in '' '{' "$(state)" "$(state '* {bundle: "/nowhere"}')"; do
	hook poststop <<<"$text" || fail "$text: $?"
done
rm "$bundle/config.json"
rm -r "$bundle/rootfs"
state '+ {status: "stopped"} | del(.pid)' | hook || fail "without its files"

say "wrong usage"
for words in prestart 'poststop poststop' '--nothing'; do
	status=0
	# shellcheck disable=SC2086 # words
	hook $words </dev/null || status=$?
	[ $status -eq 2 ] || fail "$words: status $status"
done

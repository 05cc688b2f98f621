# shellcheck shell=bash
# Sourced after lib.sh by the tests of mesos-fetcher: fetchfs, called as an agent calls its fetcher.
need_program jq
FETCHER=$WORK/mesos-fetcher
ln -s "$FETCHFS" "$FETCHER"
AGENTS=$WORK/agent # the agent's own cache
export FETCHFS_CACHE=$CACHE FETCHFS_CONFIG=$CONFIG TZ=UTC
box=$WORK/box

# fetcher TEXT: calls it with this in MESOS_FETCHER_INFO. $status is its exit status; its words are
# in $WORK/stdout and $WORK/stderr.
fetcher() {
	status=0
	MESOS_FETCHER_INFO=$1 timeout 120 "$FETCHER" >"$WORK/stdout" 2>"$WORK/stderr" </dev/null ||
		status=$?
	! grep -E 'ERROR: |runtime error:|WARNING: ThreadSanitizer' "$WORK/stderr" || exit 1
	[ ! -s "$WORK/stdout" ] || fail "words on stdout: $(<"$WORK/stdout")"
}

# The sandbox $box, fresh and $USER_NAME's (root's if that is empty).
USER_NAME=
new_box() {
	rm -rf "$box"
	mkdir "$box"
	chmod 750 "$box"
	[ -z "$USER_NAME" ] || chown "$USER_NAME:$USER_NAME" "$box"
}

# item URI [FIELDS [ACTION [NAME]]]: one item. FIELDS: JSON with the other fields of its uri.
item() {
	jq -cn --arg value "$1" --argjson more "${2:-{\}}" --arg action "${3:-BYPASS_CACHE}" \
		--arg name "${4-}" '{action: $action,
		uri: ({value: $value, extract: true, cache: false} + $more)} +
		if $name == "" then {} else {cache_filename: $name} end'
}

# info ITEM…: a whole FetcherInfo
info() {
	jq -cn --arg box "$box" --arg cache "$AGENTS" --arg user "$USER_NAME" \
		'{sandbox_directory: $box, cache_directory: $cache, items: ($ARGS.positional | map(fromjson)),
		frameworks_home: "", stall_timeout: {nanoseconds: 60000000000}} +
		if $user == "" then {} else {user: $user} end' --args "$@"
}

# fetched ITEM…: the call goes well
fetched() {
	fetcher "$(info "$@")"
	[ $status -eq 0 ] || fail "status $status: $(<"$WORK/stderr")"
	said "Successfully fetched all URIs into '$box'"
}

# refused REGEX ITEM…: it fails, with a last line that matches
refused() {
	local regex=$1
	shift
	fetcher "$(info "$@")"
	[ $status -eq 1 ] || fail "status $status: $(<"$WORK/stderr")"
	tail -n 1 "$WORK/stderr" | grep -E "^E.* EXIT with status 1: Failed to fetch '" |
		grep -Eq -- "$regex" || fail "not /$regex/: $(<"$WORK/stderr")"
}

said() {
	grep -qF -- "$1" "$WORK/stderr" || fail "not said: $1; but: $(<"$WORK/stderr")"
}

unsaid() {
	! grep -F -- "$1" "$WORK/stderr" || fail "said: $1"
}

# contents: what is in the sandbox, in a line
contents() {
	(cd "$box" && find . -mindepth 1 | LC_ALL=C sort | tr '\n' ' ')
}

same() {
	cmp "$box/$1" "$2" || fail "$1: other bytes"
}

mode_is() {
	[ "$(stat -c %a "$1")" = "$2" ] || fail "$1: mode $(stat -c %a "$1")"
}

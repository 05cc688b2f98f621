#!/bin/bash
# Whatever fails, or dies, wherever: each command is run again and again, and each time the next of its
# fault points fails, or is the end of the process, until there are none left. After each the same
# command succeeds, all bytes are right, and nothing is left over.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
need_root
need_program jq python3

! FETCHFS_FAULT=:: "$FETCHFS" --version >/dev/null 2>&1 || skip "built without fault points"

printf '[fetch]\nttl = 1h\nretries = 0\n[cache]\nhardlink = yes\n' >"$CONFIG"
start_origin
random_file 3000 "$ORIGINROOT/small" small
random_file 700k "$ORIGINROOT/large" large
random_file 2k "$ORIGINROOT/tool" tool
mkdir "$WORK/tree"
echo one >"$WORK/tree/one"
tar -C "$WORK/tree" -cf "$ORIGINROOT/some.tar" one
uris=("$ORIGIN/small" "$ORIGIN/large")
BOX=$WORK/box
TEMPLATE=$WORK/template
points=0

# What a command begins with: the cache is a copy of the template, the box is empty.
fresh() {
	[ ! -d "$BOX" ] || [ -z "$(ls -A "$BOX")" ] || fetchfs release "$BOX" >/dev/null || fail "release"
	rm -rf "$CACHE" "$BOX"
	[ ! -d "$TEMPLATE" ] || cp -a "$TEMPLATE" "$CACHE"
	mkdir "$BOX"
	[ -z "${setup-}" ] || "$setup"
}

# After the command succeeded at last.
check() {
	fetchfs verify --full >"$LOGS/verify" 2>&1 || fail "$1: $(<"$LOGS/verify")"
	if [ -n "$(ls -A "$BOX")" ]; then
		fetchfs release "$BOX" >"$LOGS/release" 2>&1 || fail "$1: release: $(<"$LOGS/release")"
		[ -z "$(ls -A "$BOX")" ] || fail "$1: left in the box: $(ls -A "$BOX")"
	fi
	fetchfs gc >"$LOGS/gc" 2>&1 || fail "$1: gc: $(<"$LOGS/gc")"
	no_debris
	"$FETCHFS_SOURCE/tests/support/invariants.py" "$CACHE" >"$LOGS/invariants" 2>&1 ||
		fail "$1: $(<"$LOGS/invariants")"
}

# sweep WHAT COMMAND…: WHAT is "exit" or an errno.
sweep() {
	local what=$1 n status
	shift
	for ((n = 1; ; n++)); do
		fresh
		status=0
		FETCHFS_FAULT="*:$n:$what" timeout 60 "$@" >"$LOGS/run" 2>&1 || status=$?
		[ $status -ne 124 ] || fail "$what at point $n of $*: it hangs"
		if [ "$what" = exit ]; then
			[ $status -eq 70 ] || break
		else
			[ $n -le "$most" ] || break
		fi
		[ $status -lt 128 ] || fail "$what at point $n of $*: $status: $(<"$LOGS/run")"
		"$@" >"$LOGS/again" 2>&1 || fail "$what at point $n of $*: the next try: $(<"$LOGS/again")"
		check "$what at point $n of $*"
	done
	[ "$what" != exit ] || most=$((n - 1))
	points=$((points + n - 1))
}

# each NAME COMMAND…
each() {
	local name=$1 before=$points
	shift
	sweep exit "$@"
	[ "$most" -gt 0 ] || fail "$name: no point was reached"
	sweep EIO "$@"
	say "$name: $most points, $((points - before)) runs"
}

each "fetch, into nothing" "${fetchfs[@]}" fetch "${uris[@]}"
each "fetch, executable" "${fetchfs[@]}" fetch --executable "$ORIGIN/tool"

fetchfs fetch "${uris[@]}" "$ORIGIN/some.tar"
cp -a "$CACHE" "$TEMPLATE"
each "export" "${fetchfs[@]}" export "$WORK/all.tar"
(cd "$WORK" && shopt -s nullglob && left=(all.tar.*) && [ ${#left[@]} -eq 0 ]) || fail "export left something"
without_cache() {
	rm -rf "$CACHE"
}
setup=without_cache
each "import" "${fetchfs[@]}" import "$WORK/all.tar"
setup=
each "pin" "${fetchfs[@]}" pin "${uris[@]}"
each "evict" "${fetchfs[@]}" evict --all
each "prepare, hardlinks" "${fetchfs[@]}" prepare --method hardlink "$BOX" "${uris[@]}"
each "prepare, a bind" "${fetchfs[@]}" prepare --method bind "$BOX" "$ORIGIN/small"
each "prepare, an archive" "${fetchfs[@]}" prepare --method copy --extract "$BOX" "$ORIGIN/some.tar"

prepared() {
	fetchfs prepare --method hardlink "$BOX" "$ORIGIN/small"
}
setup=prepared
each "release" "${fetchfs[@]}" release "$BOX"

damaged() {
	truncate -s 5 "$CACHE"/objects/"$(sha256 "$ORIGINROOT/small" | sed 's|^..|&/&|')"
}
setup=damaged
each "verify" "${fetchfs[@]}" verify --repair

without_journal() {
	rm "$CACHE/journal"
}
setup=without_journal
each "gc, writing a journal" "${fetchfs[@]}" gc

without_index() {
	rm -f "$CACHE"/index.db*
}
setup=without_index
each "the index, made anew" "${fetchfs[@]}" stat "$ORIGIN/small"

interrupted() {
	rm -rf "$CACHE"
	FETCHFS_FAULT=store.rename:1:kill "$FETCHFS" --cache "$CACHE" --config "$CONFIG" \
		fetch "$ORIGIN/large" >/dev/null 2>&1 || :
}
setup=interrupted
each "fetch, resumed" "${fetchfs[@]}" fetch "$ORIGIN/large"

say "$points runs in all"

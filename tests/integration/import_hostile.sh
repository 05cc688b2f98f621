#!/bin/bash
# Archives that are not what export writes: wherever they come from, nothing comes in that should not,
# and it is said why.
. "$(dirname "$0")/../support/lib.sh"
need_program jq curl tar python3 xz

printf '[fetch]\nttl = 1h\n[policy]\ndeny = http://denied.example/\n' >"$CONFIG"
THERE=$WORK/there
there=("$FETCHFS" --cache "$THERE" --config "$CONFIG")
start_origin
for size in 7 3000 600000; do
	random_file "$size" "$ORIGINROOT/$size" "$size"
	fetchfs fetch "$ORIGIN/$size"
done
GOOD=$WORK/good.tar
fetchfs export "$GOOD" >/dev/null

bad() {
	python3 "$FETCHFS_SOURCE/tests/support/archives.py" "$1" "$GOOD" "$WORK/$1.tar"
}

# comes N: so many artifacts are there, all whole, and nothing else is.
comes() {
	local count objects
	count=$("${there[@]}" ls --json | jq -s 'map(select(.state == "complete")) | length')
	[ "$count" -eq "$1" ] || fail "$kind: $count came: $("${there[@]}" ls)"
	"${there[@]}" verify --full >"$WORK/said" || fail "$kind: $(<"$WORK/said")"
	objects=("$THERE"/objects/*/*)
	[ ${#objects[@]} -le "$1" ] || fail "$kind: ${#objects[@]} objects"
	[ -z "$(ls "$THERE/partial")" ] || fail "$kind: left in partial/: $(ls "$THERE/partial")"
	rm -rf "$THERE"
}

# refused KIND REGEX [N]: it is an error of the whole archive; N artifacts came before it (0).
refused() {
	kind=$1
	bad "$kind"
	expect_failure 1 "^fetchfs: import $WORK/$kind.tar: .*($2)" "${there[@]}" import "$WORK/$kind.tar"
	comes "${3-0}"
	[ "${3-0}" -gt 0 ] || return 0
	# in a pipe nothing can be skipped
	# shellcheck disable=SC2016
	expect_failure 1 "import -: .*($2)" bash -c 'cat "$1" | "${@:2}"' - "$WORK/$kind.tar" "${there[@]}" import -
	comes "${3-0}"
}

# without KIND REGEX N: an artifact of it fails, N others come.
without() {
	kind=$1
	bad "$kind"
	expect_failure 1 "$2" "${there[@]}" import "$WORK/$kind.tar"
	comes "$3"
}

say "as Python writes it"
kind=same
bad same
"${there[@]}" import "$WORK/same.tar" >/dev/null || fail "a good one is refused"
comes 3

say "members that are not as they should be"
refused no-manifest "fetchfs export writes no objects/[0-9a-f]* there"
refused manifest-last "fetchfs export writes no objects/[0-9a-f]* there"
refused manifest-twice "fetchfs export writes no manifest.jsonl there" 3
refused object-twice "objects/[0-9a-f]* is there twice" 3
refused other-name "fetchfs export writes no README there" 1
refused up "writes no ../../etc/passwd there" 1
refused absolute "writes no /etc/passwd there" 1
refused upper-case "writes no objects/ABAB" 1
refused below-object "writes no objects/abab" 1
refused folder "objects/? is no plain file" 1
refused symlink "objects/link is no plain file" 1
refused hardlink "objects/link is no plain file" 1
refused fifo "objects/fifo is no plain file" 1
refused device "objects/device is no plain file" 1
refused object-symlink "objects/[0-9a-f]* is no plain file"
refused object-hardlink "objects/[0-9a-f]* is no plain file"
without sparse "objects/[0-9a-f]* has gaps|its bytes are [0-9]*, and not" 2
without flip-small "SHA-256|sha256" 2
without flip-large "SHA-256|sha256" 2
without longer "its bytes are [0-9]*, and not" 2
without without-object "its bytes are not in the archive" 2

say "an object that nobody names is passed over"
kind=more-objects
bad more-objects
"${there[@]}" import "$WORK/more-objects.tar" >/dev/null || fail "it is refused"
comes 3

say "manifests that are none"
refused empty-manifest "has 0 of 0 entries, and ends"
refused no-json "line 1: no object of JSON"
refused a-list "line 1: no object of JSON"
refused binary "line 1: no object of JSON"
refused deep "line 1: no object of JSON"
refused long-line "line 1: it is too long"
refused other-json "line 1: it is not by fetchfs export"
refused version-2 "exported in version 2 of the format, and this fetchfs knows 1 only"
refused no-uri "line 4: no URI"
refused number-uri "line 4: no URI"
refused nul-uri "line 4: no object of JSON"
refused no-digest "line 4: no SHA-256"
refused negative "line 4: no size"
refused real "line 4: no size"
refused etag "line 4: no such ETag"
refused long-etag "line 4: no such ETag"
refused no-times "line 4: no such times"
refused word-times "line 4: no such times"
refused text-flag "line 4: neither true nor false"
refused unsorted "line 3: its URI does not come after the one before"
refused uri-twice "line 5: its URI does not come after"
refused huge "the archive brings [0-9.]* [PE]iB, and the cache has room for"

say "URIs that nobody could ask for, or may"
without password "import http://h.example/x: it has credentials$" 3
! grep -q secret "$WORK/stderr" || fail "it shows the password"
without malformed "import http://h example/x: malformed" 3
! grep -q secret "$WORK/stderr" || fail "it shows the password"
without local "a file of the machine that it was exported on" 3
without fragment "canonical form" 3
without canonical "canonical form" 3
without upper "canonical form" 3
without relative "import a/b: malformed URI" 3
without unknown-scheme "gopher" 3
without denied "forbidden by policy" 3
refused escape "line 2: no URI"
without other-size "its bytes are [0-9]*, and not 1" 2

say "what would be secret here is its owner's alone"
kind=query
bad query
"${there[@]}" import "$WORK/query.tar" >/dev/null || fail "it is refused"
"${there[@]}" ls --json | jq -es 'map(select(.uri | endswith("/x?…"))) | .[0].public == false' >/dev/null ||
	fail "it is not: $("${there[@]}" ls --json)"
! grep -rq "token=secret" "$THERE" || fail "the secret is in the cache"
"${there[@]}" cat "http://h.example/x?token=secret" >/dev/null || fail "it cannot be read"
rm -rf "$THERE"

say "what comes from the future is not newer than what will be fetched"
kind=future
bad future
"${there[@]}" import "$WORK/future.tar" >/dev/null || fail "it is refused"
"${there[@]}" ls --json | jq -es "all(.fetched <= $(date +%s))" >/dev/null || fail "it is"
rm -rf "$THERE"

say "no tar at all, and compressed ones"
: >"$WORK/empty"
head -c 100000 /dev/urandom >"$WORK/noise"
head -c 100000 /dev/zero >"$WORK/zeros"
expect_failure 1 "it is empty" "${there[@]}" import "$WORK/empty"
expect_failure 1 "import $WORK/noise: broken archive" "${there[@]}" import "$WORK/noise"
expect_failure 1 "there is nothing in it" "${there[@]}" import "$WORK/zeros"
expect_failure 1 "no-such-file: open it: No such file" "${there[@]}" import "$WORK/no-such-file"
expect_failure 1 "Is a directory" "${there[@]}" import "$WORK"
xz -0 <"$GOOD" >"$WORK/good.tar.xz"
expect_failure 1 "it is compressed: pipe it through 'xz -dc'" "${there[@]}" import "$WORK/good.tar.xz"
gzip -1 <"$GOOD" >"$WORK/good.tar.gz"
expect_failure 1 "it is compressed: pipe it through 'gzip -dc'" "${there[@]}" import "$WORK/good.tar.gz"
xz -dc "$WORK/good.tar.xz" | "${there[@]}" import - >/dev/null || fail "through xz"
kind=compressed
comes 3

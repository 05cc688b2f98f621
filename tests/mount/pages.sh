#!/bin/bash
# Parents that answer with a page, or by a redirect to themselves with a slash, are folders.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program python3

check() {
	local host=$MNT/http/${ORIGIN#http://}
	say "stat and ls -d see folders, before and after something below is known"
	[ "$(stat -c %F "$host/org/repo")" = directory ] || fail "org/repo"
	[ "$(ls -d "$host/org/repo/docs.d")" = "$host/org/repo/docs.d" ] || fail "called like a file"
	[ "$(stat -c %F "$host/org/repo")" = directory ] || fail "org/repo, again"
	quiet_origin
	[ "$(origin_requests HEAD /org/repo)" -eq 1 ] || fail "asked again"
	[ -z "$(ls "$host/org")" ] || fail "listed before anything is known: $(ls "$host/org")"
	cmp "$ORIGINROOT/org/repo/x.tgz" "$host/org/repo/x.tgz" || fail "x.tgz"
	cmp "$ORIGINROOT/org/repo/docs.d/tool" "$host/org/repo/docs.d/tool" || fail "docs.d/tool"
	[ "$(cd "$host" && find . | sort | xargs)" = \
		". ./org ./org/repo ./org/repo/docs.d ./org/repo/docs.d/tool ./org/repo/x.tgz" ] ||
		fail "tree: $(cd "$host" && find . | sort | xargs)"

	say "a page is a file where one is expected: with .html, at uri/, and once somebody fetched it"
	cmp "$ORIGINROOT/org/index.html" "$host/org/index.html" || fail "index.html"
	[ "$(stat -c %F "$(at "$ORIGIN/org/wiki.html")")" = "regular file" ] || fail "uri/"
	expect_errno ENOENT "$host/org/none"
}

for kind in page slash; do
	say "--folders $kind"
	start_origin --folders $kind
	mkdir -p "$ORIGINROOT/org/repo/docs.d"
	random_file 300K "$ORIGINROOT/org/repo/x.tgz" x
	random_file 20K "$ORIGINROOT/org/repo/docs.d/tool" tool
	echo '<p>' >"$ORIGINROOT/org/index.html"
	echo '<p>' >"$ORIGINROOT/org/wiki.html"
	start_mount
	check
	if [ $kind = page ]; then
		fetchfs fetch "$ORIGIN/org/repo/docs.d" 2>/dev/null || fail "the page itself"
		grep -q 'a folder' "$(at "$ORIGIN/org/repo/docs.d")" || fail "the page at uri/"
		cmp "$ORIGINROOT/org/repo/docs.d/tool" "$MNT/http/${ORIGIN#http://}/org/repo/docs.d/tool" ||
			fail "what is known below wins"
	else
		expect_errno EISDIR "$(at "$ORIGIN/org/repo")"
	fi
	stop_mount
	kill "$ORIGIN_PID"
	rm -rf "$CACHE" "$ORIGINROOT"
done

# shellcheck shell=bash disable=SC2034,SC2016 # variables are for the tests, and scripts for others
# What the tests of programs at the mount (tests/mount/matrix_*.sh) share: an origin whose parent
# paths answer in one of three ways ($KIND: none, 404; page; slash, a redirect), and one tree of files
# on it. run_matrix FUNCTION… calls each function on each of them, with a cache that knows nothing and
# again at once ($STATE: cold, warm). $TREE is the origin's folder in the mount, $REAL the real one.

# The tree: a suffix or none, executable scripts, folders called like files.
matrix_tree() {
	mkdir -p "$ORIGINROOT/org/repo/v1/sub"
	random_file 300K "$ORIGINROOT/org/repo/v1/x.tgz" x
	random_file 100K "$ORIGINROOT/org/repo/v1/model" model
	random_file 40K "$ORIGINROOT/org/repo/v1/sub/y.bin" y
	random_file 40K "$ORIGINROOT/org/repo/v1/sub/z" z
	printf '#!/bin/sh\necho "script %s"\n' '$1' >"$ORIGINROOT/org/repo/v1/run.sh"
	cp "$ORIGINROOT/org/repo/v1/run.sh" "$ORIGINROOT/org/repo/v1/run"
	echo 'echo "hello, fish"' >"$ORIGINROOT/org/repo/v1/hello"
	tar -C "$ORIGINROOT/org/repo/v1" -czf "$ORIGINROOT/org/repo/v1/t.tar.gz" sub
}

# What was fetched before a program that must know the names begins: LIST below $ORIGIN.
make_known() {
	local name uris=()
	for name; do uris+=("$ORIGIN/$name"); done
	fetchfs fetch "${uris[@]}"
}

run_matrix() {
	local kind name state
	printf '[policy]\nprivate = allow\n' >"$CONFIG"
	for kind in none page slash; do
		if [ $kind = none ]; then start_origin; else start_origin --folders $kind; fi
		[ -d "$ORIGINROOT/org" ] || matrix_tree
		REAL=$ORIGINROOT
		for name; do
			rm -rf "$CACHE"
			start_mount
			TREE=$MNT/http/${ORIGIN#http://}
			for state in cold warm; do
				say "$name, parents: $kind, $state"
				STATE=$state KIND=$kind "$name"
			done
			stop_mount
		done
		kill "$ORIGIN_PID"
	done
}

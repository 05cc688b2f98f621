# shellcheck shell=bash
# Sourced after sandbox.sh by the tests of archives in sandboxes: what they unpack.

# make_source FOLDER: a tree of files, folders, links, and names of all kinds.
make_source() {
	mkdir -p "$1/app/lib/deep" "$1/app/empty" "$1/docs"
	random_file 300K "$1/app/lib/deep/big" big
	printf '#!/bin/sh\necho it runs\n' >"$1/app/run"
	chmod 755 "$1/app/run"
	echo text >"$1/app/lib/text"
	: >"$1/app/lib/nothing"
	ln -s lib/text "$1/app/link"
	ln -s nowhere "$1/app/dangling"
	echo composed >"$1/docs/gr"$'\xc3\xbc'"n"
	echo latin >"$1/docs/gr"$'\xfc'"n with a blank"
	echo read me >"$1/README"
	ln -s app/run "$1/start"
	touch -h -d '2001-02-03 04:05:06 UTC' "$1/README" "$1/app/run" "$1/app/lib"
}

# The names in the archive of make_source, as contents says them of a box.
source_names() {
	(cd "$WORK/source" && find . -mindepth 1 | sort | tr '\n' ' ')
}

# unpacked_is FOLDER: all of the source is there, byte for byte, and nothing else.
unpacked_is() {
	diff -r --no-dereference "$WORK/source" "$1" || fail "$1: other files"
	[ "$("$1/app/run")" = "it runs" ] || fail "$1: it does not run"
	[ "$(stat -c %Y "$1/README" "$1/app/run")" = \
		"$(stat -c %Y "$WORK/source/README" "$WORK/source/app/run")" ] || fail "times"
	[ "$(cd "$1" && find . | sort)" = "$(cd "$WORK/source" && find . | sort)" ] || fail "names"
}

# The folder in which the cache has what is in an archive of the origin.
tree_of() {
	echo "$CACHE/trees/$(sha256 "$WWW/$1")"
}

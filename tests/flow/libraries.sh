#!/bin/bash
# What is in the cache needs no library of the network's, nor of archives: they cost more to load than
# all the rest (base/library.h).
. "$(dirname "$0")/../support/lib.sh"

start_origin
random_file 1M "$ORIGINROOT/one.bin"
printf '[fetch]\nttl = 7d\n' >"$CONFIG"

# loads COMMAND…: those that it loads are in $WORK/loaded.
loads() {
	LD_DEBUG=files LD_DEBUG_OUTPUT=$WORK/ld "$@" || fail "$*"
	cat "$WORK"/ld.* | grep -oE 'calling init: .*' |
		grep -E 'lib(curl|ssl|crypto|archive|xml2)[.-]' >"$WORK/loaded" || :
	rm -f "$WORK"/ld.*
}

say "what is asked for at its origin"
loads "${fetchfs[@]}" fetch "$ORIGIN/one.bin"
for library in curl ssl crypto; do
	grep -q "lib$library" "$WORK/loaded" || fail "fetch does without lib$library: $(<"$WORK/loaded")"
done

say "what is here"
mkdir "$WORK/box"
for words in "fetch $ORIGIN/one.bin" "prepare --method copy $WORK/box $ORIGIN/one.bin" \
	"release $WORK/box" "pin $ORIGIN/one.bin" ls status log --version; do
	# shellcheck disable=SC2086 # they are words
	loads "${fetchfs[@]}" $words >"$WORK/output"
	[ ! -s "$WORK/loaded" ] || fail "$words: $(<"$WORK/loaded")"
done

#!/bin/bash
# Two thousand small files: each right, over few connections; killed in the middle and run again,
# nothing is wrong, twice, or left over.
. "$(dirname "$0")/../support/lib.sh"
need_program jq

files=2000
start_nginx

# Few different contents are enough to be mixed up, and some files share one.
for ((i = 0; i < files; i++)); do
	echo "file $((i % 1900)) of them"
	printf '%*s\n' $((i % 1900)) ''
done | awk -v dir="$WWW" 'NR % 2 { file = dir "/" int(NR / 2) ".bin" } { print > file }
	NR % 2 == 0 { close(file) }'
for ((i = 0; i < files; i++)); do
	echo "$HTTP/$i.bin"
done >"$WORK/uris"
(cd "$WWW" && sha256sum -- *.bin) | sed "s,\([0-9a-f]*\)  \(.*\),$HTTP/\2 \1," | sort >"$WORK/right"
cut -d' ' -f2 "$WORK/right" | sort -u >"$WORK/contents"

# Every URI stands for its bytes, and what the index counts is what is there.
all_is_right() {
	local used there
	fetchfs fetch --json -i "$WORK/uris" >"$WORK/json" 2>"$LOGS/again" || fail "fetch: $(<"$LOGS/again")"
	jq -r 'select(.event == "done") | "\(.uri) \(.sha256)"' "$WORK/json" | sort | cmp - "$WORK/right" || fail "other digests"
	(cd "$CACHE/objects" && find . -type f -printf '%f  %P\n' | sha256sum -c --quiet) ||
		fail "an object is not what its name says"
	find "$CACHE/objects" -type f -printf '%f\n' | sort | cmp - "$WORK/contents" ||
		fail "objects that nobody asked for, or too few"
	used=$(fetchfs status --json | jq .used)
	there=$(find "$CACHE/objects" -type f -printf '%b\n' | awk '{ sum += $1 } END { print sum * 512 }')
	[ "$used" -eq "$there" ] || fail "$used bytes in the index, $there on disk"
	no_debris
}

say "all at once"
fetchfs fetch -i "$WORK/uris"
all_is_right
settle_nginx
[ "$(requests GET '/[0-9]*\.bin')" -eq $files ] || fail "asked for $(requests GET '/[0-9]*\.bin') times"
! find "$CACHE/objects" -type f ! -perm 444 | grep -q . || fail "an object that is not 0444"

say "killed in the middle, three times, and run again"
rm -rf "$CACHE"
some_came() {
	[ "$(find "$CACHE/objects" -type f 2>/dev/null | wc -l)" -gt "$1" ]
}
for part in 300 700 1200; do
	"${fetchfs[@]}" fetch -i "$WORK/uris" &
	pid=$!
	children+=("$pid")
	wait_for 60 some_came $part || fail "it stands still"
	kill -KILL $pid
	{ wait $pid || :; } 2>/dev/null
done
all_is_right

say "two commands with the same list"
rm -rf "$CACHE"
: >"$NGINX_LOG"
"${fetchfs[@]}" fetch -i "$WORK/uris" &
children+=($!)
fetchfs fetch -i "$WORK/uris"
wait $! || fail "the other one"
all_is_right
settle_nginx
[ "$(requests GET '/[0-9]*\.bin')" -eq $files ] || fail "asked for $(requests GET '/[0-9]*\.bin') times"

say "over few connections"
start_origin
mkdir "$ORIGINROOT/some"
cp "$WWW"/1[0-9][0-9].bin "$ORIGINROOT/some"
for file in "$ORIGINROOT"/some/*; do
	echo "$ORIGIN/some/${file##*/}"
done >"$WORK/some"
printf '[fetch]\nper_host = 8\n' >"$CONFIG"
fetchfs fetch -i "$WORK/some"
connections=$(origin_stat connections)
[ "$connections" -le 9 ] || fail "$connections connections" # per_host is 8, and one asks here

#!/bin/bash
# An import that does not come to its end, or not alone: what had come stays and is right, nothing else
# is left, and the next try brings the rest.
. "$(dirname "$0")/../support/lib.sh"
need_program jq curl tar

printf '[fetch]\nttl = 1h\n' >"$CONFIG"
THERE=$WORK/there
there=("$FETCHFS" --cache "$THERE" --config "$CONFIG")
start_origin
for ((i = 0; i < 12; i++)); do
	random_file $((1000 + i * i * 20000)) "$ORIGINROOT/$i" "$i"
	echo "$ORIGIN/$i"
done >"$WORK/list"
fetchfs fetch -i "$WORK/list"
ALL=$WORK/all.tar
fetchfs export "$ALL" >/dev/null
size=$(stat -c %s "$ALL")
# A place inside of a large object, the second one, so that some come before it; and whose it is.
read -r middle held < <(tar tvRf "$ALL" | awk '/objects/ && $5 > 300000 && ++n == 2 {
	sub(".*/", "", $NF)
	print ($2 + 1) * 512 + 200000, $NF
}')
held=$(tar xOf "$ALL" manifest.jsonl | jq -r "select(.sha256 == \"$held\") | .uri")
[ -n "$held" ] || fail "there is no place in the middle: $(tar tvRf "$ALL")"

came() {
	"${there[@]}" ls --json | jq -s 'map(select(.state == "complete")) | length'
}

# All that came is whole, and nothing is left over.
sound() {
	"${there[@]}" verify --full >"$WORK/said" || fail "$1: $(<"$WORK/said")"
	[ -z "$(ls "$THERE/partial")" ] || fail "$1: left in partial/: $(ls "$THERE/partial")"
	[ "$("${there[@]}" status --json | jq .reserved)" -eq 0 ] || fail "$1: reserved"
}

all_there() {
	local i
	[ "$(came)" -eq 12 ] || fail "$1: $(came) came"
	for ((i = 0; i < 12; i++)); do
		"${there[@]}" cat "$ORIGIN/$i" | cmp - "$ORIGINROOT/$i" || fail "$1: other bytes"
	done
	sound "$1"
}

# An import whose archive comes as far as in the middle of a large object, and no further: $importer,
# and descriptor 9, by which the rest may come.
in_the_middle() {
	mkfifo "$WORK/fifo"
	"${there[@]}" import - <"$WORK/fifo" >"$WORK/said" 2>&1 &
	importer=$!
	children+=("$importer")
	exec 9>"$WORK/fifo"
	rm "$WORK/fifo"
	head -c "$1" "$ALL" >&9
	wait_for 30 grown || fail "no object is on its way: $(<"$WORK/said")"
}

grown() {
	local data
	data=$(find "$THERE/partial" -name '*.data' -size +0) && [ -n "$data" ]
}

say "what somebody fetched while its bytes came is newer, and nobody waited for an import"
in_the_middle "$middle"
mv "$ORIGINROOT/${held##*/}" "$WORK/original"
random_file 500k "$ORIGINROOT/${held##*/}" another
timeout 20 "${there[@]}" fetch "$held" || fail "who fetches it waits"
tail -c +$((middle + 1)) "$ALL" >&9
exec 9>&-
wait $importer || fail "the import: $(<"$WORK/said")"
grep -q '^11 imported, .*; 1 are newer here' "$WORK/said" || fail "said: $(<"$WORK/said")"
"${there[@]}" cat "$held" | cmp - "$ORIGINROOT/${held##*/}" || fail "the newer one is gone"
sound "fetched meanwhile"
mv "$WORK/original" "$ORIGINROOT/${held##*/}"
rm -rf "$THERE"

say "nor for one that has come, while another comes slowly"
in_the_middle "$(tar tvRf "$ALL" | awk '/objects/ && $5 > 300000 { at = ($2 + 1) * 512 + 200000 } END { print at }')"
come() {
	small=$("${there[@]}" ls --json |
		jq -rs 'map(select(.state == "complete" and .size < 262144)) | first | .uri // empty')
	[ -n "$small" ]
}
wait_for 10 come || fail "no small one has come"
timeout 20 "${there[@]}" fetch --refresh "$small" || fail "who asks for it waits"
exec 9>&-
wait $importer && fail "a torn archive is whole"
rm -rf "$THERE"
settle_origin
kill "$ORIGIN_PID"
wait_for 10 gone "$ORIGIN_PID" || fail "the origin goes on"

say "cut off anywhere"
places=(1 511 512 513 1024 4000 $((size - 1024)) $((size - 1500)) $((size - 300000)))
for ((n = 0; n < 10; n++)); do
	places+=($(((RANDOM * 32768 + RANDOM) % (size - 1024))))
done
for place in $(printf '%s\n' "${places[@]}" | sort -n); do
	before=0
	[ ! -d "$THERE" ] || before=$(came)
	status=0
	head -c "$place" "$ALL" | "${there[@]}" import - >"$WORK/said" 2>"$WORK/stderr" || status=$?
	if [ "$place" -lt $((size - 1024)) ]; then
		[ $status -eq 1 ] || fail "cut at $place: status $status: $(<"$WORK/said")"
		grep -Eq 'broken archive|manifest.jsonl has|not in the archive|nothing in it|it is empty' "$WORK/stderr" ||
			fail "cut at $place: $(<"$WORK/stderr")"
	fi
	[ "$(came)" -ge "$before" ] || fail "cut at $place: it takes some away"
	sound "cut at $place"
done
[ "$(came)" -gt 0 ] || fail "nothing came of one that lacks its end"
head -c "$middle" "$ALL" >"$WORK/short.tar"
"${there[@]}" evict --all >/dev/null
expect_failure 1 "import $WORK/short.tar: broken archive" "${there[@]}" import "$WORK/short.tar"
grep -Eq '^[1-9][0-9]* imported, .*; [1-9][0-9]* did not come$' "$WORK/stdout" || fail "said: $(<"$WORK/stdout")"
"${there[@]}" import "$ALL" >/dev/null
all_there "after all"

say "killed in the middle"
rm -rf "$THERE"
in_the_middle "$middle"
"${there[@]}" status | grep -q "$ORIGIN/" || fail "status does not tell: $("${there[@]}" status)"
kill -KILL $importer
{ wait $importer || :; } 2>/dev/null
exec 9>&-
some=$(came)
[ "$some" -gt 0 ] || fail "what had come is gone"
[ -n "$(ls "$THERE/partial")" ] || fail "nothing was on its way"
"${there[@]}" gc >"$WORK/said"
sound "killed, and swept"
in_the_middle "$middle"
kill -KILL $importer
{ wait $importer || :; } 2>/dev/null
exec 9>&-
"${there[@]}" import "$ALL" >"$WORK/said"
grep -q "; $some were here" "$WORK/said" || fail "not $some were here: $(<"$WORK/said")"
all_there "killed, and again"

say "ended by a signal"
rm -rf "$THERE"
in_the_middle "$middle"
kill -TERM $importer
exec 9>&-
status=0
wait $importer || status=$?
[ $status -eq 143 ] || fail "status $status: $(<"$WORK/said")"
sound "ended"
"${there[@]}" import "$ALL" >/dev/null
all_there "ended, and again"

say "two at once, and one that stands still"
rm -rf "$THERE"
in_the_middle "$middle"
"${there[@]}" import "$ALL" >"$WORK/one" 2>&1 &
one=$!
"${there[@]}" import "$ALL" >"$WORK/other" 2>&1 &
children+=("$one" $!)
wait $! || fail "the second: $(<"$WORK/other")"
wait $one || fail "the first: $(<"$WORK/one")"
[ "$(came)" -eq 12 ] || fail "$(came) came while one stood still"
tail -c +$((middle + 1)) "$ALL" >&9
exec 9>&-
wait $importer || fail "the one that stood still: $(<"$WORK/said")"
all_there "at once"

say "a cache that is too small takes nothing, and says so"
rm -rf "$THERE"
printf '[fetch]\nttl = 1h\n[cache]\nsize = 14M\nmin_free = 0\n' >"$CONFIG"
expect_failure 1 "the archive brings [0-9.]* MiB, and the cache has room for .* raise 'size'" \
	"${there[@]}" import "$ALL"
[ "$(came)" -eq 0 ] || fail "$(came) came"
printf '[fetch]\nttl = 1h\n[cache]\nsize = 24M\nmin_free = 0\n' >"$CONFIG"
"${there[@]}" import --pin "$ALL" >/dev/null
all_there "with room for it"

say "it takes the place of others that may go, and not of those that may not"
rm -rf "$THERE"
random_file 11M "$WORK/other.bin" other
"${there[@]}" fetch --pin "file://$WORK/other.bin"
expect_failure 1 "beside what is pinned or leased" "${there[@]}" import "$ALL"
"${there[@]}" unpin "file://$WORK/other.bin"
"${there[@]}" import "$ALL" >/dev/null
all_there "in the place of another"

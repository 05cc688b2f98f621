#!/bin/bash
# fetchfs report: what the cache holds and what happened to it, for a terminal, for programs, and as a page
# that nobody's names can break.
# shellcheck disable=SC2016 # the variables are jq's
. "$(dirname "$0")/../support/lib.sh"
need_program jq python3 setpriv

page=$WORK/page.html
report=$WORK/report.json

# The page as it is now, of which python3 has seen that it is whole; its text is in $WORK/text.
make_page() {
	"${fetchfs[@]}" report --html "$page" || fail "no page"
	python3 "$FETCHFS_SOURCE/tests/support/page.py" "$page" >"$WORK/text" || fail "the page is broken"
}

# shows TEXT…: each is a piece of the page's text, as it is
shows() {
	local text
	for text; do
		grep -qxF -- "$text" "$WORK/text" || fail "the page does not show $text: $(<"$WORK/text")"
	done
}

# The report, and what other commands know.
look() {
	fetchfs report --json >"$report"
	fetchfs status --json >"$WORK/status.json"
	fetchfs log -n 100000 --json >"$WORK/log.json"
	fetchfs ls --json | jq -c 'select(.state == "complete")' >"$WORK/ls.json"
}

# is JQ…: it is true of the report, and of $status[0], $log and $ls
is() {
	jq -e --slurpfile status "$WORK/status.json" --slurpfile log "$WORK/log.json" \
		--slurpfile ls "$WORK/ls.json" "$@" "$report" >/dev/null || fail "not so: $* in $(<"$report")"
}

say "of nothing"
# (the size that nobody says changes as others fill the disk)
printf '[cache]\nsize = 1G\n[fetch]\nttl = 0s\nnegative_ttl = 0s\n' >"$CONFIG"
fetchfs report | grep -q "^artifacts  0 complete" || fail "$(fetchfs report)"
look
is '.entries == 0 and .origins.names == 0 and .log.events == 0 and .log.since == null and .sandboxes.directories == 0'
make_page
! grep -q '<section class="\(traffic\|origins\|largest\|sandboxes\)"' "$page" || fail "the page shows what there is not"

say "sums that agree with what the other commands say"
start_origin
mkdir "$ORIGINROOT/dist"
for n in 1 2 3; do
	random_file $((n * 100))K "$ORIGINROOT/dist/$n.bin" "$n"
done
evil='"><script>alert(1)</script>&amp;'
printf 'evil' >"$ORIGINROOT/\"><script>"
fetchfs fetch "$ORIGIN"/dist/{1,2,3}.bin "$ORIGIN/\"><script>"
fetchfs fetch "$ORIGIN/dist/1.bin?token=s3cret"
fetchfs fetch "$ORIGIN/dist/2.bin" # is confirmed
! fetchfs fetch "$ORIGIN/none" 2>/dev/null || fail "none is there"
fetchfs evict "$ORIGIN/dist/2.bin"
fetchfs fetch "$ORIGIN/dist/2.bin"
fetchfs pin "$ORIGIN/dist/3.bin"
box="$WORK/$evil"
mkdir -p "$box" || fail "no folder of that name"
fetchfs prepare --method copy "$box" "$ORIGIN/dist/1.bin" "$ORIGIN/dist/2.bin"
look
is '.used == $status[0].used and .limit == $status[0].limit and .objects == $status[0].objects and .entries == $status[0].entries'
is '.origins.artifacts == $status[0].entries and .largest.artifacts == $status[0].entries and .users.bytes == $status[0].used'
is '.origins.bytes == ([$ls[].size] | add) and .origins.bytes == ([.origins.first[].bytes] | add)'
is '([.ages[].used] | add) == $status[0].entries and ([.ages[].fetched_bytes] | add) == .origins.bytes'
is '.ages[0].used == $status[0].entries and .origins.names == 1 and .origins.first[0].origin == $o' --arg o "$ORIGIN"
is '.largest.first[0] | .bytes == 307200 and .pinned and .public and .sandboxes == 0'
is '[.largest.first[] | select(.sandboxes == 1) | .bytes] == [204800, 102400, 102400]'
is '.pinned_artifacts | .names == 1 and .bytes == 307200 and (.first[0].uri | endswith("/dist/3.bin"))'
is '.sandboxes.first[0] | .directory == $d and .files == 2 and .bytes == 307200 and .unknown == 0 and .gone == false' --arg d "$box"
is '.log.events == ($log | length) and .log.fetched.count == ([$log[] | select(.event == "fetched")] | length)'
is '.log.evicted.bytes == ([$log[] | select(.event == "evicted") | .bytes] | add) and .log.failed.count == 1'
is '([.log.spans[].fetched.bytes // 0] | add) == .log.fetched.bytes and .log.since == ($log[0].time | floor)'
is '.log.fetched_again == {"count": 1, "bytes": 204800} and (.log.last_evicted[0].uri | endswith("/dist/2.bin"))'

say "what was damaged, and what is shown without its query, is not told to have come back"
# note TIME EVENT URI TEXT [CACHE]: as the log has it
note() {
	printf '%s\t%s\t5\t-1\t1\t\t%s\t%s\n' "${1}000" "$2" "$3" "$4" >>"${5:-$CACHE}/events"
}
note "$EPOCHSECONDS" evicted https://h/bad "its bytes are not what they were"
note "$EPOCHSECONDS" fetched https://h/bad ""
note "$EPOCHSECONDS" evicted "https://h/one?…" ""
note "$EPOCHSECONDS" fetched "https://h/one?…" ""
look
is '.log.evicted.count == 3 and .log.fetched_again.count == 1'

say "the page, with the names that it must not believe"
note "$EPOCHSECONDS" evicted "https://h/$evil" "'$evil"
make_page
grep -q '^As far as .*; versions .* replaced before are not .*Fetched again after it had gone: 1 download of 200' "$WORK/text" ||
	fail "$(<"$WORK/text")"
shows "$box" "https://h/$evil" "'$evil" "$ORIGIN/%22%3E%3Cscript%3E" "$ORIGIN/dist/1.bin?…" private pinned
grep -qF '&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;amp;' "$page" || fail "$box is not escaped"
! grep -qi '<script\|s3cret\|http-equiv="refresh' "$page" || fail "$(grep -i '<script\|s3cret' "$page")"
fetchfs pin "$ORIGIN/dist/1.bin"
make_page
grep -q '^pinned, and in sandboxes: [1-9]' "$WORK/text" || fail "$(<"$WORK/text")"
fetchfs unpin "$ORIGIN/dist/1.bin"
make_page
for section in space traffic answers origins users ages largest pinned sandboxes evicted; do
	grep -q "^<section class=\"$section\">" "$page" || fail "no section $section"
done
! grep -q s3cret <(fetchfs report --json; fetchfs report) || fail "a query is shown"
fetchfs report >"$WORK/terminal"
for line in ' 300.0 KiB .*/3.bin  \(pinned\)$' ' 1  fetched again after' ' 300.0 KiB .*<script>alert'; do
	grep -Eq -- "$line" "$WORK/terminal" || fail "no line /$line/: $(<"$WORK/terminal")"
done
# They are of one moment, now and then.
is_the_same() {
	"${fetchfs[@]}" report --html "$page" && "${fetchfs[@]}" report --html - >"$WORK/stdout.html" &&
		cmp -s "$page" "$WORK/stdout.html"
}
wait_for 30 is_the_same || fail "another page on stdout: $(diff "$page" "$WORK/stdout.html")"

say "it is for the caller's eyes, who may have seen what others may not"
chmod 644 "$page"
make_page
[ "$(stat -c %a "$page")" = 600 ] || fail "mode $(stat -c %a "$page")"

say "a page that cannot be written leaves what was there"
cp "$page" "$WORK/before"
expect_failure 1 "write /dev/full: (No space left|Input/output error)" "${fetchfs[@]}" report --html /dev/full
expect_failure 1 "$WORK/none/page" "${fetchfs[@]}" report --html "$WORK/none/page"
cmp "$page" "$WORK/before" || fail "the page has changed"

say "a folder that is gone is said to be, a clock that was set back breaks nothing"
rm -r "$box"
note $((EPOCHSECONDS + 864000)) fetched https://h/future ""
make_page
shows "gone: fetchfs gc"

say "of more origins and artifacts than it lists, the largest, and the sum of all"
for n in {1..40}; do
	printf 'https://h%s.invalid/a\nhttps://h%s.invalid/b\n' "$n" "$n"
done | "$FETCHFS_BUILD/tests/support/fillcache" "$CACHE"
look
is '.origins.names == 41 and (.origins.first | length) == 20 and .origins.artifacts == $status[0].entries'
is '.origins.first[0].origin == $o and .origins.first[1].artifacts == 2' --arg o "$ORIGIN"
is '.origins.bytes == ([$ls[].size] | add) and .largest.names == $status[0].entries'
is '[.largest.first[].bytes] == ([$ls[].size] | sort | reverse | .[:20])'
make_page
shows "21 others"

say "columns of a day are days of where it is read"
days=(env TZ=EAST-10 "$FETCHFS" --cache "$WORK/days" --config "$CONFIG" report)
"${days[@]}" >/dev/null
midnight=$((EPOCHSECONDS / 86400 * 86400 - 40 * 86400 - 36000))
note $((midnight + 3600)) fetched https://h/a "" "$WORK/days"
"${days[@]}" --json >"$WORK/days.json"
jq -e --argjson m "$midnight" '.log.spans[0] == {"from": $m, "seconds": 86400, "fetched": {"count": 1, "bytes": 5}}' \
	"$WORK/days.json" >/dev/null || fail "not from $midnight: $(<"$WORK/days.json")"
"${days[@]}" --html "$page"
grep -q "from $(TZ=EAST-10 date -d "@$midnight" +%F)&#10;fetched: 5 B<" "$page" || fail "$(grep -o '<title>[^<]*' "$page")"

[ "$(id -u)" -eq 0 ] || exit 0
say "what is private to another is not shown, and not counted"
chown -R 65534 "$CACHE"
as_owner() { setpriv --reuid=65534 --regid=65534 --clear-groups "${fetchfs[@]}" "$@"; }
as_owner report --json >"$WORK/own.json" || fail "the owner gets no report"
jq -e --slurpfile all "$report" '.entries == $all[0].entries and .origins.artifacts == $all[0].origins.artifacts - 1 and
	.log.fetched.count == $all[0].log.fetched.count - 1 and
	.sandboxes.first[0].uris == [] and ($all[0].sandboxes.first[0].uris | length) == 2' \
	"$WORK/own.json" >/dev/null || fail "$(<"$WORK/own.json")"
! grep -q 'bin?…' "$WORK/own.json" <(as_owner report) <(as_owner report --html -) || fail "it is shown"

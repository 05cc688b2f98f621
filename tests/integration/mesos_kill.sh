#!/bin/bash
# mesos-fetcher, killed as an agent kills it: at any moment, with SIGKILL. Each file in the sandbox is
# whole or not there; nothing runs on; the next call is served, by what is in the cache already.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/mesos.sh"
start_nginx

random_file 6M "$WWW/one" one
random_file 300K "$WWW/two" two
mkdir "$WORK/tree"
for i in {1..60}; do random_file 4K "$WORK/tree/f$i" "$i"; done
tar czf "$WWW/pack.tgz" -C "$WORK/tree" .

items=("$(item "$HTTP/one" '{"cache": true}')" "$(item "$HTTP/two" '{"cache": true, "executable": true}')"
	"$(item "$HTTP/pack.tgz" '{"cache": true}')")

whole() {
	local file source
	for file in "$box"/*; do
		case ${file##*/} in
		f*) source=$WORK/tree/${file##*/} ;;
		*) source=$WWW/${file##*/} ;;
		esac
		cmp "$file" "$source" || fail "half a file: $file"
	done
}

# Whether nothing of this test runs the program any more.
nobody_left() {
	local exe pid
	while read -r exe; do
		pid=${exe#/proc/}
		pid=${pid%/exe}
		! grep -qzxF "FETCHFS_TEST=$WORK" "/proc/$pid/environ" || gone "$pid" || return 1
	done < <(find /proc -maxdepth 2 -name exe -lname "$FETCHFS" 2>/dev/null)
}

say "killed 15 times at any moment"
new_box
for round in {1..15}; do
	[ $((round % 5)) -ne 0 ] || rm -rf "$CACHE"
	[ $((round % 3)) -ne 0 ] || new_box
	MESOS_FETCHER_INFO=$(info "${items[@]}") setsid "$FETCHER" 2>/dev/null &
	pid=$!
	children+=("$pid")
	sleep "0.$(printf '%03d' $((RANDOM % 700)))"
	kill -KILL -- "-$pid" 2>/dev/null || :
	{ wait "$pid" || :; } 2>/dev/null
	whole
	wait_for 10 nobody_left || fail "something runs on"
done

say "after that all is well"
fetched "${items[@]}"
[ "$(contents | wc -w)" -eq 63 ] || fail "there is $(contents)"
whole
mode_is "$box/two" 755

say "only the fetcher is killed: what unpacks for it goes, too"
rm -rf "$CACHE"
for round in {1..5}; do
	new_box
	MESOS_FETCHER_INFO=$(info "${items[@]}") "$FETCHER" 2>/dev/null &
	pid=$!
	children+=("$pid")
	sleep "0.$(printf '%03d' $((RANDOM % 500)))"
	kill -KILL "$pid" 2>/dev/null || :
	{ wait "$pid" || :; } 2>/dev/null
	wait_for 10 nobody_left || fail "something runs on"
done
fetched "${items[@]}"
whole

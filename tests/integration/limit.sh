#!/bin/bash
# Ten files of 100 MiB through a cache of 500 MiB: all right, never above, the oldest go.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse

start_nginx
echo "[cache]
size = 500M" >"$CONFIG"
limit=$((500 << 20))

# A file system of the cache's own tells what is in use in one call; du would count what moves
# while it walks twice. The sampler is the only one to write $WORK/most, whole.
mkdir "$CACHE"
mount -t tmpfs -o size=700m,mode=700 fetchfs-test "$CACHE" || skip "needs to mount a tmpfs"
mounts+=("$CACHE")

sample() {
	local blocks free size used most=0
	while [ -d "$WORK" ]; do
		read -r blocks free size < <(stat -f -c '%b %f %S' "$CACHE")
		used=$(((blocks - free) * size))
		if [ $used -gt $most ]; then
			most=$used
			echo $most >"$WORK/most.new" && mv "$WORK/most.new" "$WORK/most"
		fi
		sleep 0.02
	done
}

state() {
	fetchfs stat --json "$HTTP/$1.bin" | jq -r .state
}

read_file() {
	cmp "$WWW/$1.bin" "$(at "$HTTP/$1.bin")" || fail "$1.bin: other bytes"
}

start_mount
sample &
children+=($!)
for i in {0..9}; do
	random_file 100M "$WWW/$i.bin" "file $i"
	read_file "$i"
	if [ "$i" -eq 3 ]; then
		read_file 0 # now 1 is the one that was used least recently
	fi
	if [ "$i" -eq 5 ]; then
		say "after the sixth file: $(fetchfs ls | wc -l) names are known"
		[ "$(state 0)" = complete ] || fail "the file used last but two went"
		[ "$(state 1)" != complete ] || fail "the least recently used file stayed"
	fi
done

say "at most $(<"$WORK/most") bytes were in use"
[ "$(<"$WORK/most")" -le $limit ] || fail "above the limit of $limit"
[ "$(<"$WORK/most")" -ge $((300 << 20)) ] || fail "the cache was hardly used"
[ "$(du -s --block-size=1 "$CACHE" | cut -f1)" -le $limit ] || fail "du is above the limit"
[ "$(state 9)" = complete ] || fail "the last file is not cached"
[ "$(state 0)" != complete ] || fail "the first file is still cached"

say "what went comes back"
read_file 0
settle_mount
stop_mount
no_debris

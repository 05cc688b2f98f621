# shellcheck shell=bash disable=SC2034,SC2154 # variables are those of scripts/bench
# A cache of --entries small artifacts, a tenth of them in one folder, made without a network by the
# program fillcache of the tests, which uses the cache's own functions. It is on an XFS of its own in
# a file. What is measured has no peer, but an aim; the table is one of its own.

packages_million=(xfsprogs jq time)
base=http://bulk.invalid
evicted=10000 # at a time

million=() # the program, on that cache

million() { "${million[@]}" "$@"; }

# Ten names in a small folder, a tenth of all in a large one, a thousand in each of the others.
million_uris() {
	seq -f "$base/few/%.0f.bin" 10
	seq -f "$base/many/f%07.0f.bin" $((entries / 10))
	seq $((entries - entries / 10 - 10)) |
		awk -v base="$base" '{ printf "%s/d%04d/f%04d.bin\n", base, $1 / 1000, $1 % 1000 }'
}

start_million() {
	bulk=$work/bulk
	mkdir "$bulk"
	truncate -s $((entries * 12 / 1000000 + 4))G "$work/bulk.image"
	mkfs.xfs -q "$work/bulk.image"
	mount -o loop "$work/bulk.image" "$bulk"
	mounts+=("$bulk")
	mkdir -m 700 "$bulk/cache"
	printf '[cache]\nsize = 1T\nmin_free = 1M\n' >"$work/million.conf"
	million=("$program" -q --cache "$bulk/cache" --config "$work/million.conf")
	million_uris >"$work/lists/million"
	shuf -n 100000 --random-source=<(yes) "$work/lists/million" >"$work/lists/million.some"
}

stop_million() {
	unmount_ "$work/million"
	umount "$bulk"
	rm "$work/bulk.image"
}

# ---- one figure ----

# figure WHAT AIM: of the lines "MICROSECONDS [KIB]" in $work/figures
figure() {
	local sorted memory count
	mapfile -t sorted < <(cut -d' ' -f1 "$work/figures" | sort -n)
	memory=$(awk '$2 > max { max = $2 } END { print max }' "$work/figures")
	count=${#sorted[@]}
	awk -v what="$1" -v aim="$2" -v t="${sorted[(count - 1) / 2]}" -v low="${sorted[0]}" \
		-v high="${sorted[-1]}" -v memory="$memory" '
		function time(us) {
			if (us < 1000)
				return us " µs"
			return us < 1e6 ? sprintf("%.1f ms", us / 1000) : sprintf("%.1f s", us / 1e6)
		}
		BEGIN {
			printf "| %s | %s | %s–%s | %s | %s |\n", what, time(t), time(low), time(high),
				memory ? sprintf("%.0f MiB", memory / 1024) : "", aim
		}' | tee -a "$work/million.table"
	rm "$work/figures"
}

# once COMMAND…: how long it takes, and how much memory, into $work/figures
once() {
	local time
	time=$(microseconds command time -f %M -o "$work/memory" "$@")
	echo "$time $(tail -n 1 "$work/memory")" >>"$work/figures"
}

# each WHAT AIM COMMAND…
each() {
	local round
	for ((round = 0; round < rounds; round++)); do once "${@:3}"; done
	figure "$1" "$2"
}

# ---- what is measured ----

first_line() { head -n 1 < <(million ls); }

measure_commands() {
	local some=$base/d0005/f0500.bin round
	each "stat of a name" "50 ms" "${million[@]}" stat "$some"
	each "fetch of what is here" "50 ms" "${million[@]}" fetch "$some"
	for ((round = 0; round < rounds; round++)); do microseconds first_line; done >"$work/figures"
	figure "ls, the first line" ""
	each "ls" "" "${million[@]}" ls
	each "ls of a prefix with 1000" "" "${million[@]}" ls "$base/d0007/"
	each "status" "" "${million[@]}" status
}

# hot_reads SECONDS: "find N median T p99 T longest T", and the same of "open", into $work/hot
hot_reads() {
	exec "$source/build/bench/tests/support/hotreads" "$bulk/cache" "$work/million.conf" "$1" \
		<"$work/lists/million.some" >"$work/hot"
}

# of WHAT WHICH: of the lines in $work/hot
of() {
	awk -v what="$1" -v which="$2" '$1 == what { for (i = 1; i < NF; i++) if ($i == which) print $(i + 1) }' \
		"$work/hot"
}

measure_lookups() {
	local round
	for ((round = 0; round < rounds; round++)); do
		(hot_reads 5)
		of find median >>"$work/finds"
		of open median >>"$work/opens"
	done
	mv "$work/finds" "$work/figures"
	figure "a lookup, of 100,000 by chance" "100 µs"
	mv "$work/opens" "$work/figures"
	figure "opening it, and its first byte" ""
}

used() { million status --json | jq .used; }
evict_some() { million evict --to $(($(used) - evicted * 4096)); }
has_begun() { grep -q fetchfs-used "/proc/$1/task"/*/comm; }

# Somebody reads all the time; the longest that he had to wait counts. For comparison, as many files
# are removed without a cache.
measure_eviction() {
	local round reader
	for ((round = 0; round < rounds; round++)); do
		hot_reads 600 &
		reader=$!
		pids+=("$reader")
		wait_until has_begun "$reader"
		microseconds evict_some >>"$work/evictions"
		kill "$reader"
		wait "$reader"
		echo "$(of find longest) $(of open longest)" |
			awk '{ print ($1 > $2 ? $1 : $2) }' >>"$work/pauses"
		rm -rf "$bulk/plain"
		mkdir "$bulk/plain"
		(cd "$bulk/plain" && seq $evicted | split -l 1 -a 6 - "")
		sync -f "$bulk"
		microseconds rm -r "$bulk/plain" >>"$work/removals"
	done
	mv "$work/evictions" "$work/figures"
	figure "evict --to: $evicted of them" "2 s"
	mv "$work/pauses" "$work/figures"
	figure "the longest pause of who reads meanwhile" "50 ms"
	mv "$work/removals" "$work/figures"
	figure "(rm -r of as many files)" ""
	measure_reservation
}

# What does not fit makes room for itself.
measure_reservation() {
	local round beside
	for ((round = 0; round < rounds; round++)); do
		head -c $((evicted * 4096)) /dev/urandom >"$bulk/large.$round"
		beside=$(du -c -B1 "$bulk/cache"/{index.db,journal} | tail -n 1 | cut -f1)
		printf '[cache]\nsize = %d\nmin_free = 1M\n' $(($(used) + beside + (12 << 20))) \
			>"$work/full.conf"
		microseconds "$program" -q --cache "$bulk/cache" --config "$work/full.conf" \
			fetch "file://$bulk/large.$round"
	done >"$work/figures"
	figure "fetch of a file of the size of $evicted, which have to go" ""
}

measure_upkeep() {
	local rounds=1
	each "gc, the first, with a journal to be made short" "" "${million[@]}" gc
	each "gc, another" "" "${million[@]}" gc
	each "pin of a tenth, by a pattern" "" "${million[@]}" pin "$base/many/*"
	each "unpin of them" "" "${million[@]}" unpin "$base/many/*"
	each "verify" "" "${million[@]}" verify
	rm "$bulk/cache"/index.db*
	each "status, when the index is lost: it is made anew" "" "${million[@]}" status
}

# ---- by way of a mount ----

resident() { # KiB, and at most so far
	awk '/^VmRSS|^VmHWM/ { print $2 }' "/proc/$million_daemon/status" | sort -n | sed -n "$1p"
}

# folder WHAT COMMAND…: once, then what the daemon has
folder() {
	local time
	time=$(microseconds "${@:2}")
	echo "$time $(resident 1)" >"$work/figures"
	figure "$1; the daemon afterwards" "64 MiB"
}

first_name() { head -n 1 < <(ls -f "$tree/many"); }
list_again() { while ls -f "$tree/many" >/dev/null; do :; done; }

measure_mounted() {
	local tree=$work/million/${base/:\//} pid
	mkdir -p "$work/million"
	microseconds million mount "$work/million" >"$work/figures"
	mounts+=("$work/million")
	million_daemon=$(jq .pid "$work/million/.fetchfs/status")
	figure "mount" "50 ms"
	folder "ls -f of $((entries / 10)) names, the first" first_name
	folder "all" ls -f "$tree/many"
	list_again &
	pid=$!
	pids+=("$pid")
	each "ls of 10 names meanwhile" "" ls "$tree/few"
	stop TERM "$pid"
	folder "ls -l" ls -l "$tree/many"
	folder "find of all that is there" find "$work/million/http" -type f
	echo 2 >/proc/sys/vm/drop_caches
	folder "stat, when the kernel has forgotten the names" stat "$tree/many/f0000001.bin"
	unmount_ "$work/million"
}

measure_million() {
	start_million
	note "making $entries artifacts"
	microseconds "$source/build/bench/tests/support/fillcache" "$bulk/cache" \
		<"$work/lists/million" >"$work/figures"
	figure "publishing them" ""
	measure_commands
	measure_lookups
	measure_mounted
	measure_eviction
	measure_upkeep
	stop_million
}

million_table() {
	printf '%s entries, on XFS in a file; medians of %d rounds, %s.\n\n' \
		"$entries" "$rounds" "$(date -u +%F)"
	echo "| what | median | lowest–highest | memory at most | aim |"
	echo "|---|--:|--:|--:|--:|"
	cat "$work/million.table"
}

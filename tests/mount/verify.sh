#!/bin/bash
# Reads at random, by several processes at once, of what arrives, stalls, is evicted, and changes:
# one descriptor gives one version.
#
#	tests/mount/verify.sh [SEED]
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program jq
seed=${1:-$RANDOM}
processes=4
printf '[fetch]\nttl = 0s\nstall = 1s\n' >"$CONFIG"
start_origin
random_file 4000003 "$ORIGINROOT/a.bin" a
random_file 1000003 "$ORIGINROOT/small.bin" small
random_file 400009 "$WORK/v1" v1
random_file 400009 "$WORK/v2" v2
random_file 250007 "$WORK/v3" v3

# verify WHAT OPERATIONS WHILE URI VERSION…: what it counts is in $WORK/counts-WHAT.
verify() {
	local what=$1
	timeout 60 "$FETCHFS_BUILD/tests/support/verifyreads" "$seed" $processes "$2" "$3" \
		"$(at "$4")" "${@:5}" >"$WORK/counts-$what" 2>"$LOGS/verify-$what"
}
# begin_verify …: the same, in the background.
begin_verify() {
	verify "$@" &
	reader=$!
	children+=("$reader")
}
end_verify() {
	wait "$1" || fail "$2, $mode"
	say "$mode: $2: $(<"$WORK/counts-$2")"
}
# count NTH WHAT: the number of operations, of those in flight, of opens, of those told ESTALE
count() {
	grep -Eo '[0-9]+' "$WORK/counts-$2" | sed -n "$1p"
}

# Both at once; the second one comes to a stop, is given up and taken up again.
on_its_way() {
	local one other
	begin_verify arriving 1000 "" "$ORIGIN/rate/1500000/$mode/a.bin" "$ORIGINROOT/a.bin"
	one=$reader
	begin_verify stalling 1000 "" "$ORIGIN/rate/2000000/once/stall/2000000/$mode/a.bin" \
		"$ORIGINROOT/a.bin"
	other=$reader
	end_verify "$one" arriving
	end_verify "$other" stalling
	[ "$(count 2 arriving)" -ge 20 ] || fail "only $(count 2 arriving) reads of what arrives"
	[ "$(count 2 stalling)" -ge 20 ] || fail "only $(count 2 stalling) reads of what stalls"
	quiet_origin
	[ "$(origin_requests GET "/rate/2000000/once/stall/2000000/$mode/a.bin")" -ge 2 ] ||
		fail "it was not taken up again"
}

# Whoever has it open keeps it; in between it can go.
evicted() {
	local uri=$ORIGIN/rate/20000000/$mode/small.bin evicted=0 tried=0
	: >"$WORK/reading"
	begin_verify evicted 100000 "$WORK/reading" "$uri" "$ORIGINROOT/small.bin"
	while [ $evicted -lt 5 ] && ! gone "$reader"; do
		[ $((tried += 1)) -lt 300 ] || fail "evicted only $evicted times"
		if fetchfs evict "$uri" 2>"$WORK/stderr"; then
			evicted=$((evicted + 1))
		else
			grep -Eq 'is open|in use|leased|not in the cache' "$WORK/stderr" || fail "$(<"$WORK/stderr")"
		fi
	done
	rm "$WORK/reading"
	end_verify "$reader" evicted
	say "evicted $evicted times of $tried"
}

# publish VERSION NAME: the origin has it from now on.
publish() {
	rm -f "$WORK/published"
	cp "$1" "$WORK/published"
	touch -d "@$((1000000000 + (changes += 1)))" "$WORK/published"
	ln "$WORK/published" "$WORK/moved"
	mv "$WORK/moved" "$ORIGINROOT/$mode/$2"
}
changes=0

# changed WHAT BEHAVIOUR VERSION VERSION: it changes while it is read, and while it is downloaded.
changed() {
	local what=$1 versions=("${@:3}") uri=$ORIGIN/$2/$mode/$1 i refresh
	publish "$3" "$what"
	: >"$WORK/reading"
	begin_verify "$what" 100000 "$WORK/reading" "$uri" "${versions[@]}"
	for i in {1..12}; do
		publish "${versions[i % 2]}" "$what"
		fetchfs fetch -q --refresh "$uri" 2>"$WORK/stderr" &
		refresh=$!
		children+=("$refresh")
		[ $((i % 3)) -gt 0 ] || publish "${versions[(i + 1) % 2]}" "$what"
		wait "$refresh" || grep -q changed "$WORK/stderr" || fail "$what: $(<"$WORK/stderr")"
	done
	rm "$WORK/reading"
	end_verify "$reader" "$what"
	fetchfs fetch -q --refresh "$uri"
	cmp "$WORK/published" "$(at "$uri")" || fail "the last version of $what, $mode"
}

say "seed $seed"
for mode in passthrough nopassthrough; do
	start_mount_in $mode
	mkdir "$ORIGINROOT/$mode"
	ln "$ORIGINROOT/a.bin" "$ORIGINROOT/small.bin" "$ORIGINROOT/$mode"
	on_its_way
	evicted
	changed equal rate/8000000 "$WORK/v1" "$WORK/v2"
	changed different rate/8000000 "$WORK/v1" "$WORK/v3"
	# no answer brings more than a part
	changed broken_equal rate/8000000/first/100000/short/150000 "$WORK/v1" "$WORK/v2"
	changed broken_different rate/8000000/first/100000/short/150000 "$WORK/v1" "$WORK/v3"
	stop_mount
done

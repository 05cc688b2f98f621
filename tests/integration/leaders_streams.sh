#!/bin/bash
# A download by several connections is killed at random moments: what each of them had brought
# counts, so that a kill costs no more than a chunk in all.
. "$(dirname "$0")/../support/lib.sh"
need_program curl jq

kills=0
wanted=12
rate=1000000
size=$((40 << 20))
chunk=$((256 << 10))

start_origin

bytes_went_out() {
	[ "$(origin_stat bytes)" -ge "$1" ] || gone "$pid"
}

# One file, killed as long as its download lasts: each time when some megabytes have come, by when
# there are several connections.
one_file() {
	local before status
	uri=$ORIGIN/rate/$rate/$1.bin
	random_file $size "$ORIGINROOT/$1.bin" "$1"
	while :; do
		before=$(origin_stat bytes)
		"${fetchfs[@]}" fetch "$uri" 2>"$LOGS/fetch" &
		pid=$!
		children+=("$pid")
		status=0
		if [ $kills -lt $wanted ]; then
			wait_for 60 bytes_went_out $((before + 4000000 + RANDOM * 100)) ||
				fail "nothing comes"
			kill_counting "$pid" || status=$?
		else
			wait "$pid" || status=$?
		fi
		case $status in
		0) break ;;
		137) kills=$((kills + 1)) kills_of[$1]=$((kills_of[$1] + 1)) ;;
		*) fail "it failed by itself ($status): $(<"$LOGS/fetch")" ;;
		esac
	done
	fetchfs cat "$uri" | cmp - "$ORIGINROOT/$1.bin" || fail "other bytes"
}

kills_of=()
for ((n = 0; kills < wanted; n++)); do
	kills_of[n]=0
	one_file $n
done
no_debris

settle_origin
[ "$(origin_stat most)" -ge 4 ] || fail "there were only $(origin_stat most) connections at once"
again=0
for n in "${!kills_of[@]}"; do
	sent=$(origin_sent "/rate/$rate/$n.bin")
	say "$n.bin: ${kills_of[n]} kills, $((sent - size)) bytes were sent twice"
	again=$((again + sent - size))
done
[ $again -ge 0 ] || fail "the log lacks something"
say "of $again for $kills kills, $queued were in sockets"
# Besides, a piece of 16 KiB for each connection was counted and not sent, and one of 16 KiB was not
# put away, or not told of: less than a chunk for all 8.
[ $again -le $((kills * chunk + queued)) ] || fail "these are too many"

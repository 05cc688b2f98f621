#!/bin/bash
# Somebody damages what lies in the cache: what an interrupted download left, the map of one that is
# under way, objects and trees that are served. Nobody ever gets a wrong byte: it is fetched again,
# or the error is clear.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program jq curl python3

# the same damage again: by the seed that it printed
seed=${FETCHFS_SEED-$$}
RANDOM=$seed
echo "- seed $seed"
start_origin
random_file 3M "$ORIGINROOT/a.bin" a
random_file 300K "$ORIGINROOT/b.bin" b
mkdir "$ORIGINROOT/packed"
random_file 200K "$ORIGINROOT/packed/file" file
tar -C "$ORIGINROOT/packed" -czf "$ORIGINROOT/p.tar.gz" file
cat >"$CONFIG" <<-END
	[cache]
	hardlink = yes
	[fetch]
	ttl = 1h
	stall = 5s
END

# flip FILE COUNT: so many bits somewhere in it
flip() {
	python3 - "$1" "$2" "$RANDOM" <<-'END'
		import os, random, sys
		random.seed(int(sys.argv[3]))
		with open(sys.argv[1], "r+b", buffering=0) as f:
		    size = os.fstat(f.fileno()).st_size
		    for _ in range(int(sys.argv[2])):
		        # in a map the first pages are what matters
		        at = random.randrange(min(size, random.choice((4096, size))))
		        f.seek(at)
		        byte = f.read(1)[0] ^ 1 << random.randrange(8)
		        f.seek(at)
		        f.write(bytes([byte]))
	END
}

# What a link leads to: a file of the test's own, for a later damage may follow it.
decoy=$WORK/decoy

# replace FILE KIND
replace() {
	local size
	size=$(stat -c %s "$1")
	case $2 in
	cut) truncate -s $((size > 0 ? RANDOM * 100 % size : 0)) "$1" ;;
	empty) : >"$1" ;;
	longer) truncate -s $((size + 1 + RANDOM)) "$1" ;;
	huge) truncate -s 1T "$1" ;;
	gone) rm "$1" ;;
	folder) rm "$1" && mkdir "$1" && : >"$1/something" ;;
	link) rm "$1" && random_file 2K "$decoy" decoy && ln -s "$decoy" "$1" ;;
	pipe) rm "$1" && mkfifo "$1" ;;
	other) rm "$1" && random_file "$size" "$1" other ;;
	flipped) flip "$1" $((1 + RANDOM % 30)) ;;
	esac
}

kinds=(cut empty longer huge gone folder link pipe other flipped flipped flipped flipped)

bytes_went_out() {
	[ "$(origin_stat bytes)" -ge "$1" ]
}

say "what a killed leader left is damaged"
path=/rate/2000000/a.bin
for ((n = 0; n < 26; n++)); do
	fetchfs -q evict --all
	before=$(origin_stat bytes)
	"${fetchfs[@]}" fetch "$ORIGIN$path" 2>/dev/null &
	pid=$!
	children+=("$pid")
	wait_for 20 bytes_went_out $((before + RANDOM * 70 + 10000)) || fail "no bytes"
	kill -KILL "$pid" 2>/dev/null || : # it may be done by now
	wait "$pid" 2>/dev/null || :
	kind=${kinds[n % ${#kinds[@]}]}
	left=("$CACHE"/partial/*)
	if [ ${#left[@]} -gt 0 ]; then
		victim=${left[RANDOM % ${#left[@]}]}
		replace "$victim" "$kind"
		victim=${victim##*.}
	else
		victim=none
	fi
	timeout 60 "${fetchfs[@]}" cat "$ORIGIN${path/rate\/2000000\//}" >/dev/null || fail "cat"
	timeout 60 "${fetchfs[@]}" cat "$ORIGIN$path" >"$WORK/got" || fail "$n: $kind $victim: cannot be fetched"
	cmp "$WORK/got" "$ORIGINROOT/a.bin" || fail "$n: $kind $victim: other bytes"
	[ "$(sha256 "$CACHE"/objects/*/*)" = "$(sha256 "$ORIGINROOT/a.bin")" ] ||
		fail "$n: $kind $victim: an object is wrong"
	no_debris
done

say "the map of a download that others follow is damaged"
path=/rate/1500000/a.bin
for ((n = 0; n < 8; n++)); do
	fetchfs -q evict --all
	"${fetchfs[@]}" fetch "$ORIGIN$path" 2>"$WORK/leader" &
	leader=$!
	children+=("$leader")
	wait_for 20 compgen -G "$CACHE/partial/*.map" >/dev/null || fail "no map"
	followers=()
	for i in 1 2 3; do
		timeout 100 "${fetchfs[@]}" cat "$ORIGIN$path" >"$WORK/got.$i" 2>"$WORK/err.$i" &
		followers+=($!)
		children+=($!)
	done
	for ((i = 0; i < 5; i++)); do
		map=$(compgen -G "$CACHE/partial/*.map" | head -n 1) || break
		[ $((RANDOM % 6)) -eq 0 ] && kind=${kinds[RANDOM % ${#kinds[@]}]} || kind=flipped
		replace "$map" "$kind" 2>/dev/null || :
		sleep 0.1
	done
	wait "$leader" || [ $? -eq 1 ] || fail "$n: the leader ended with $?: $(<"$WORK/leader")"
	for i in 1 2 3; do
		status=0
		wait "${followers[i - 1]}" || status=$?
		[ $status -le 1 ] || [ $status -eq 3 ] || fail "$n: a follower ended with $status: $(<"$WORK/err.$i")"
		size=$(stat -c %s "$WORK/got.$i")
		cmp -n "$size" "$WORK/got.$i" "$ORIGINROOT/a.bin" || fail "$n: a follower got other bytes"
		[ $status -ne 0 ] || [ "$size" -eq $((3 << 20)) ] || fail "$n: not all, and no error"
	done
	fetchfs cat "$ORIGIN$path" | cmp - "$ORIGINROOT/a.bin" || fail "$n: other bytes"
	fetchfs -q gc
	no_debris
done

say "an object is damaged under a mount"
start_mount
uri=$ORIGIN/b.bin
hash=$(sha256 "$ORIGINROOT/b.bin")
object=$CACHE/objects/${hash:0:2}/$hash

# read_by WAY: what somebody reads who asks for it now, in $WORK/got
read_by() {
	local way=$1
	rm -rf "$WORK/box"
	mkdir "$WORK/box"
	case $way in
	mount) timeout 60 cat "$(at "$uri")" ;;
	cat) timeout 60 "${fetchfs[@]}" cat "$uri" ;;
	link) timeout 60 "${fetchfs[@]}" prepare --method symlink --mount "$MNT" "$WORK/box" "$uri" &&
		cat "$WORK/box/b.bin" ;;
	*) timeout 60 "${fetchfs[@]}" prepare --method "$way" "$WORK/box" "$uri" && cat "$WORK/box/b.bin" ;;
	esac >"$WORK/got" 2>"$WORK/err"
}

for kind in cut empty longer gone folder link pipe; do
	for way in mount cat copy bind hardlink link; do
		timeout 60 "${fetchfs[@]}" cat "$uri" | cmp - "$ORIGINROOT/b.bin" || fail "$kind, $way: before"
		cmp "$(at "$uri")" "$ORIGINROOT/b.bin" || fail "$kind, $way: before, by the mount"
		exec {held}<"$(at "$uri")"
		replace "$object" "$kind"
		read_by $way || fail "$kind, $way: $(<"$WORK/err")"
		cmp "$WORK/got" "$ORIGINROOT/b.bin" || fail "$kind, $way: other bytes"
		exec {held}<&-
		timeout 60 "${fetchfs[@]}" release "$WORK/box" >/dev/null || fail "$kind, $way: release"
	done
done

say "an archive, or its tree, is damaged"
uri=$ORIGIN/p.tar.gz
hash=$(sha256 "$ORIGINROOT/p.tar.gz")
object=$CACHE/objects/${hash:0:2}/$hash
tree=$CACHE/trees/$hash
for kind in cut empty folder link gone; do
	for victim in "$object" "$tree"; do
		for way in mount extract; do
			cmp "$MNT/http/${uri#http://}.unpacked/file" "$ORIGINROOT/packed/file" || fail "$kind, $way: before"
			if [ "$victim" = "$tree" ]; then
				[ -d "$tree" ] || fail "$kind, $way: there is no tree"
				rm -rf "$tree"
				: >"$tree"
			fi
			replace "$victim" "$kind"
			rm -rf "$WORK/box"
			mkdir "$WORK/box"
			case $way in
			mount) timeout 60 cat "$MNT/http/${uri#http://}.unpacked/file" >"$WORK/got" || fail "$kind ${victim%/"${hash:0:2}"*}: unpacked" ;;
			extract) timeout 60 "${fetchfs[@]}" prepare --method copy --extract "$WORK/box" "$uri" ||
				fail "$kind ${victim%/"${hash:0:2}"*}: extract"
				cat "$WORK/box/file" >"$WORK/got" ;;
			esac
			cmp "$WORK/got" "$ORIGINROOT/packed/file" || fail "$kind, $way: other bytes"
			fetchfs release "$WORK/box" >/dev/null
		done
	done
done
stop_mount
fetchfs -q gc
fetchfs verify >"$WORK/said" || fail "$(<"$WORK/said")"

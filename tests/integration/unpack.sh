#!/bin/bash
# Trees between processes: unpacked once, whoever asks; killed at any point nothing is leaked for longer
# than until the next one; room is kept within its bounds; a tree goes with its object.
. "$(dirname "$0")/../support/lib.sh"
need_program python3

opentree=$FETCHFS_BUILD/tests/support/opentree
a=$WORK/a
mkdir "$a"

# What unpacks, and that it did: a line with its process for each.
export REAL=$FETCHFS
started=$WORK/started
: >"$started"
cat >"$WORK/program" <<END
#!/bin/bash
echo \$\$ >>"$started"
exec -a fetchfs-unpack "$REAL"
END
chmod +x "$WORK/program"

unpack() {
	FETCHFS=$WORK/program "$opentree" "$@"
}

# start NAME WORDS…: opentree in the background, its words in $WORK/NAME; $PID
start() {
	local name=$1
	shift
	FETCHFS=$WORK/program "$opentree" "$@" >"$WORK/$name" &
	PID=$!
	children+=("$PID")
}

unpacked() {
	wc -l <"$started"
}

worker() {
	tail -n 1 "$started"
}

half_there() {
	[ -n "$(find "$CACHE/trees" -path '*/.new.*/file*' -print -quit)" ]
}

# stop_in_the_middle: the child that is at work is stopped where it is; $WORKER
stop_in_the_middle() {
	wait_for 60 half_there || fail "nothing is unpacked"
	WORKER=$(worker)
	kill -STOP "$WORKER"
	wait_for 10 grep -q '^State:.*T' "/proc/$WORKER/status" || fail "it does not stop"
}

clean() {
	local left=("$CACHE"/trees/.*.*)
	[ ${#left[@]} -eq 0 ] || fail "left in trees: ${left[*]}"
	fetchfs status --json | jq -e '.reserved == 0' >/dev/null || fail "something is reserved"
}

# row SQL: what the index says
row() {
	python3 -c 'import sqlite3, sys
db = sqlite3.connect(sys.argv[1], timeout=30)
for row in db.execute(sys.argv[2]): print(*row)
db.commit()' "$CACHE/index.db" "$1"
}

python3 - "$a" <<'END'
import io, random, sys, tarfile
a = sys.argv[1]
random.seed(1)
def tar(name, count, size):
    with tarfile.open(f"{a}/{name}", "w:gz", compresslevel=1) as out:
        for i in range(count):
            member = tarfile.TarInfo(f"d{i % 50}/file{i}")
            member.size = size
            out.addfile(member, io.BytesIO(bytes([random.randrange(256)]) * size))
tar("many.tgz", 8000, 700)
tar("small.tgz", 10, 700)
tar("other.tgz", 12, 700)
tar("large.tgz", 60, 1000000)
END

say "eight at once: one unpacks"
pids=()
for i in {1..8}; do
	start "eight$i" "$CACHE" "$CONFIG" "$a/many.tgz"
	pids+=("$PID")
done
for pid in "${pids[@]}"; do wait "$pid" || fail "one of eight: $(cat "$WORK"/eight*)"; done
[ "$(sort -u "$WORK"/eight* | wc -l)" -eq 1 ] || fail "$(cat "$WORK"/eight*)"
[ "$(unpacked)" -eq 1 ] || fail "unpacked $(unpacked) times"
unpack "$CACHE" "$CONFIG" "$a/many.tgz" >"$WORK/again"
cmp "$WORK/again" "$WORK/eight1" || fail "another tree"
[ "$(unpacked)" -eq 1 ] || fail "unpacked $(unpacked) times"
clean

say "what it occupies is what the index says"
tree=$(cut -d ' ' -f 2 "$WORK/again")
[ "$(row 'SELECT tree_bytes FROM object WHERE tree_bytes > 0')" -eq "$(du -s -B1 "$tree" | cut -f1)" ] ||
	fail "$(row 'SELECT tree_bytes FROM object') bytes, not $(du -s -B1 "$tree")"

say "open, it stays; linked elsewhere, too; then it goes with its object"
mkfifo "$WORK/hold"
FETCHFS=$WORK/program "$opentree" -w "$CACHE" "$CONFIG" "$a/many.tgz" >"$WORK/holder" <"$WORK/hold" &
holder=$!
children+=("$holder")
exec 5>"$WORK/hold"
wait_for 30 test -s "$WORK/holder" || fail "the holder does not open it"
expect_failure 1 'open' "${fetchfs[@]}" evict "file://$a/many.tgz"
exec 5>&-
wait "$holder" || fail "the holder"
ln "$tree/d0/file0" "$WORK/link"
expect_failure 1 'linked elsewhere' "${fetchfs[@]}" evict "file://$a/many.tgz"
rm "$WORK/link"
fetchfs evict "file://$a/many.tgz"
[ ! -e "$tree" ] || fail "the tree outlives its object"
[ "$(row 'SELECT objects FROM total')" -eq 0 ] || fail "it still counts"

say "the child is killed"
start killed "$CACHE" "$CONFIG" "$a/many.tgz"
stop_in_the_middle
say "  it is locked up"
status=/proc/$WORKER/status
grep -q '^NoNewPrivs:.1' "$status" || fail "new privileges"
grep -q '^Seccomp:.2' "$status" || fail "no seccomp"
for set in Inh Prm Eff Amb; do grep -q "^Cap$set:.0000000000000000" "$status" || fail "Cap$set"; done
[ "$(id -u)" -ne 0 ] || grep -q "^CapBnd:.0000000000000000" "$status" || fail "CapBnd"
for fd in /proc/"$WORKER"/fd/*; do
	case $(readlink "$fd") in
	/dev/null | socket:* | "$CACHE"/* | /file* | / | pipe:* | "$LOGS"/*) ;;
	*) [ "${fd##*/}" -eq 2 ] || fail "it has open $(readlink "$fd")" ;;
	esac
done
[ "$(tr '\0' '\n' <"/proc/$WORKER/environ" | grep -c '^REAL=')" -eq 0 ] || fail "it has our environment"
kill -KILL "$WORKER"
! wait "$PID" || fail "it succeeded without its child"
grep -q '^EIO: .*Killed' "$WORK/killed" || fail "$(<"$WORK/killed")"
clean

say "the parent is killed: its child goes with it, the next one takes away what is left"
start orphan "$CACHE" "$CONFIG" "$a/many.tgz"
stop_in_the_middle
kill -KILL "$PID"
wait_for 10 gone "$WORKER" || fail "the child outlives its parent"
left=("$CACHE"/trees/.new.*)
[ ${#left[@]} -eq 1 ] || fail "there is nothing left: ${left[*]}"
unpack "$CACHE" "$CONFIG" "$a/small.tgz" >/dev/null
left=("$CACHE"/trees/.new.*)
[ ${#left[@]} -eq 0 ] || fail "still there: ${left[*]}"
fetchfs evict --to 0
clean

say "both are stopped: the next one does not wait for ever"
printf '[fetch]\nstall = 1s\n' >"$CONFIG"
start frozen "$CACHE" "$CONFIG" "$a/many.tgz"
stop_in_the_middle
kill -STOP "$PID"
frozen=$PID
unpack "$CACHE" "$CONFIG" "$a/many.tgz" >"$WORK/passed"
grep -q '^archive ' "$WORK/passed" || fail "$(<"$WORK/passed")"
kill -CONT "$frozen" "$WORKER"
wait "$frozen" || fail "once it goes on: $(<"$WORK/frozen")"
cmp "$WORK/frozen" "$WORK/passed" || fail "two trees"
[ "$(find "$(cut -d ' ' -f 2 "$WORK/passed")" -type f | wc -l)" -eq 8000 ] || fail "it is not whole"
clean
: >"$CONFIG"

say "of another boot, or lost, or unknown: made anew"
count=$(unpacked)
row "UPDATE object SET tree_boot = 'another' WHERE tree_bytes > 0"
unpack "$CACHE" "$CONFIG" "$a/many.tgz" >/dev/null
[ "$(unpacked)" -eq $((count + 1)) ] || fail "believed after a boot"
tree=$(cut -d ' ' -f 2 "$WORK/passed")
chmod -R u+w "$tree"
rm -rf "$tree"
unpack "$CACHE" "$CONFIG" "$a/many.tgz" >/dev/null
[ "$(unpacked)" -eq $((count + 2)) ] || fail "not made anew"
row 'UPDATE object SET tree_bytes = 0'
chmod u+w "$tree"
echo stray >"$tree/stray"
unpack "$CACHE" "$CONFIG" "$a/many.tgz" >/dev/null
[ "$(unpacked)" -eq $((count + 3)) ] || fail "a stray tree was believed"
[ ! -e "$tree/stray" ] || fail "it is still astray"
fetchfs evict --to 0
clean

say "room"
printf '[cache]\nsize = 32M\n' >"$CONFIG"
head -c 8M /dev/urandom >"$a/filler"
fetchfs fetch "file://$a/filler"
! unpack "$CACHE" "$CONFIG" "$a/large.tgz" >"$WORK/full" || fail "60 MB in a cache of 32"
grep -Eq '^ENOSPC: (cache full|larger than the cache): ' "$WORK/full" || fail "$(<"$WORK/full")"
clean
[ "$(du -s -B1 "$CACHE" | cut -f1)" -le 33554432 ] || fail "$(du -s -B1 "$CACHE") bytes"
printf '[cache]\nsize = 90M\n' >"$CONFIG"
head -c 40M /dev/urandom >"$a/filler2"
fetchfs fetch "file://$a/filler2"
unpack "$CACHE" "$CONFIG" "$a/large.tgz" >"$WORK/fits" || fail "$(<"$WORK/fits")"
[ "$(du -s -B1 "$CACHE" | cut -f1)" -le 94371840 ] || fail "$(du -s -B1 "$CACHE") bytes"
object() {
	local sum
	sum=$(sha256 "$1")
	[ -e "$CACHE/objects/${sum:0:2}/$sum" ]
}
object "$a/large.tgz" || fail "the archive went for its own tree"
! object "$a/filler2" || fail "the older one stayed"
clean
printf '[cache]\nsize = 1G\nmin_free = 1000T\n' >"$CONFIG"
! unpack "$CACHE" "$CONFIG" "$a/other.tgz" >"$WORK/full" || fail "beyond min_free"
grep -q '^ENOSPC: disk full' "$WORK/full" || fail "$(<"$WORK/full")"
clean
: >"$CONFIG"

if [ "$(id -u)" -eq 0 ]; then
	say "without privileges"
	mkdir -m 777 "$WORK/theirs"
	chmod 755 "$WORK" "$a"
	chmod 666 "$started"
	(
		cd /
		FETCHFS=$WORK/program setpriv --reuid 12345 --regid 12345 --clear-groups \
			"$opentree" "$WORK/theirs/cache" "$CONFIG" "$a/small.tgz" >"$WORK/user"
	) || fail "$(<"$WORK/user")"
	tree=$(cut -d ' ' -f 2 "$WORK/user")
	[ "$(stat -c %u "$tree/d0/file0")" -eq 12345 ] || fail "whose it is"
	setpriv --reuid 12345 --regid 12345 --clear-groups \
		"$FETCHFS" --cache "$WORK/theirs/cache" --config "$CONFIG" evict --to 0
	[ ! -e "$tree" ] || fail "not evicted"
fi

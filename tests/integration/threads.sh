#!/bin/bash
# More downloads wait for a connection than there are threads to wait with: the one that has it gets a
# thread all the same, and goes on.
. "$(dirname "$0")/../support/lib.sh"

files=600
start_origin
random_file $((16 << 20)) "$ORIGINROOT/big.bin"
random_file 1000 "$ORIGINROOT/small.bin" small
cp "$ORIGINROOT/small.bin" "$ORIGINROOT/hold.bin"
printf '[fetch]\nper_host = 1\nttl = 0\n' >"$CONFIG"
for ((i = 0; i < files; i++)); do
	ln "$ORIGINROOT/small.bin" "$ORIGINROOT/$i.bin"
	echo "$ORIGIN/$i.bin"
done >"$WORK/small"

# what is known, but old, is asked for by a thread each
fetchfs fetch -i "$WORK/small"
{
	echo "$ORIGIN/latency/2000/hold.bin"
	echo "$ORIGIN/big.bin"
	cat "$WORK/small"
} >"$WORK/all"
timeout 60 "${fetchfs[@]}" fetch -j $((files + 2)) -i "$WORK/all" || fail "status $?"
no_debris

# shellcheck shell=bash disable=SC2034,SC2154 # variables are for the tests, and from lib.sh
# What the tests of a misbehaving origin share, after lib.sh: one origin, a file, and its opposite.
start_origin --trace "$WORK/trace" # an artifact of $size bytes, and what it may change into
random_file 700K "$ORIGINROOT/a.bin" a
python3 -c 'import sys
sys.stdout.buffer.write(bytes(b ^ 1 for b in open(sys.argv[1], "rb").read()))' \
	"$ORIGINROOT/a.bin" >"$WORK/changed"
for name in b c; do cp "$ORIGINROOT/a.bin" "$ORIGINROOT/$name.bin"; done
size=$((700 << 10))
chunk=262144

# settings RETRIES: and short limits
settings() {
	cat >"$CONFIG" <<-END
		[fetch]
		stall = 2s
		first_byte = 2s
		retries = $1
		negative_ttl = 0s
	END
}

# Forget what is here and what was asked.
anew() {
	quiet_origin
	fetchfs evict --all >/dev/null
	rm -f "$CACHE"/partial/*
	: >"$ORIGIN_LOG"
	: >"$WORK/trace"
}

# GETs since anew.
gets_were() {
	quiet_origin
	local count
	count=$(grep -c '^GET ' "$ORIGIN_LOG" || :)
	[ "$count" -eq "$1" ] || fail "$count GETs instead of $1: $(<"$ORIGIN_LOG")"
}

sent_at_most() {
	[ "$(origin_sent '.*')" -le "$1" ] || fail "$(origin_sent '.*') bytes, more than $1"
}

# fails STATUS REGEX PATH GETS
fails() {
	anew
	expect_failure "$1" "^fetchfs: fetch [^ ]+: .*$2" "${fetchfs[@]}" fetch "$ORIGIN$3"
	gets_were "$4"
}

# works PATH GETS [FILE]
works() {
	anew
	timeout 60 "${fetchfs[@]}" fetch "$ORIGIN$1" || fail "$1: status $?"
	fetchfs cat "$ORIGIN$1" | cmp "${3-$ORIGINROOT/a.bin}" - || fail "$1: other bytes"
	gets_were "$2"
	no_debris
}


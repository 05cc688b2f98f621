#!/bin/bash
# oci in bulk: a gigabyte, whose registry goes away in the middle.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/registry.sh"
need_root
need_fuse
need_program docker-registry openssl python3

[ "$(df --output=avail -B1M "$WORK" | tail -n 1)" -gt 6000 ] || skip "needs 6 GB below ${TMPDIR:-/tmp}"
export HOME=$WORK/home
mkdir "$HOME"
start_registry plain
PUSH=http://127.0.0.1:$REGISTRY_PORT
HOST=${PUSH#http://}
cat >"$CONFIG" <<-END
	[cache]
	size = 2G
	min_free = 0
	[fetch]
	retries = 40
	[oci "oci://$HOST/"]
	endpoint = $PUSH
END
random_file 1G "$WORK/large.bin"
push large v1 large.bin="$WORK/large.bin" >/dev/null

start_mount
dd if="$MNT/oci/$HOST/large:v1/large.bin" of="$WORK/got" bs=1M status=none &
reader=$!
children+=("$reader")
arrived() { [ -s "$WORK/got" ] && [ "$(stat -c %s "$WORK/got")" -gt $((100 << 20)) ]; }
wait_for 60 arrived || fail "nothing comes"
kill -KILL "$REGISTRY_PID"
wait "$REGISTRY_PID" 2>/dev/null || :
OTEL_TRACES_EXPORTER=none docker-registry serve "$WORK/registry-plain.yml" >>"$WORK/registry-plain.log" 2>&1 &
children+=($!)
wait $reader || fail "the reader saw it"
cmp "$WORK/got" "$WORK/large.bin" || fail "large.bin differs"
settle_mount
no_debris
[ "$(fetchfs stat --json "oci://$HOST/large:v1/large.bin" | grep -c "$(sha256 "$WORK/large.bin")")" -eq 1 ] ||
	fail "$(fetchfs stat --json "oci://$HOST/large:v1/large.bin")"
stop_mount

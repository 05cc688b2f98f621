#!/bin/bash
# docs/fleet.md: twenty machines, in network namespaces of their own, behind its Squid.
. "$(dirname "$0")/../support/namespace.sh" network
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/site.sh"
need_root
need_program squid ip nsenter

COUNT=20

start_squid() {
	local dir=$WORK/squid
	mkdir -m 777 "$dir"
	placed /etc/squid/squid.conf "/var/spool/squid 500000 16 256" "$dir/spool 2000 4 16" >"$dir/conf"
	cat >>"$dir/conf" <<-END
		pid_filename none
		visible_hostname localhost
		cache_log $dir/cache.log
		access_log stdio:$dir/access.log
		coredump_dir $dir
		pinger_enable off
		netdb_filename none
		shutdown_lifetime 0 seconds
		max_filedescriptors 4096
	END
	squid -N -z -f "$dir/conf" >"$LOGS/squid" 2>&1 || fail "squid -z"
	squid -N -f "$dir/conf" </dev/null >>"$LOGS/squid" 2>&1 &
	SQUID_PID=$!
	children+=("$SQUID_PID")
	wait_for 30 listening 3128 || fail "squid does not start"
}

start_site squid1.lan
echo "10.77.0.250 squid2.lan" >>"$WORK/hosts" # is down: nobody has this address
start_origin --latency 400 # so that they all ask before it answers
start_squid
add_machines $COUNT
base=http://releases.example.org:${ORIGIN##*:}
uris=()
for ((i = 1; i <= COUNT; i++)); do
	old_file 400K "$ORIGINROOT/a$i.bin"
	uris+=("$base/a$i.bin")
done

say "a machine reaches nothing but the site"
printf '[fetch]\nretries = 0\n' >"$CONFIG"
! on 1 fetch "${uris[0]}" 2>"$WORK/err" || fail "there is another way to the origin"
[ "$(origin_requests '[A-Z]*' '[^ ]*')" -eq 0 ] || fail "the origin was asked"

say "$COUNT machines fetch $COUNT artifacts: the origin serves each once"
placed "/etc/fetchfs/fetchfs.conf, by Squid" >"$CONFIG"
everywhere fetch "${uris[@]}"
quiet_origin
for ((i = 1; i <= COUNT; i++)); do
	served_once "/a$i.bin" $((400 << 10))
	[ "$(on "$i" cat "${uris[i - 1]}" | sha256sum)" = "$(sha256sum <"$ORIGINROOT/a$i.bin")" ] ||
		fail "machine $i has other bytes"
done

say "a large one, slowly, which is asked for in parts; published just now"
random_file 12M "$ORIGINROOT/large.bin" large
everywhere fetch --digest "sha256:$(sha256 "$ORIGINROOT/large.bin")" "$base/rate/3000000/large.bin"
quiet_origin
served_once /rate/3000000/large.bin $((12 << 20))
# (On a machine that is busy nobody may ask for parts.)
echo "  $(grep -c '/206 .*/large.bin' "$WORK/squid/access.log") parts"

say "only a part, by a mount: Squid fetches the whole, which the next machine gets"
old_file 8M "$ORIGINROOT/parts.bin"
echo 'lazy = ranges' >>"$CONFIG"
on 1 mount -f "$MNT" >"$LOGS/mount" 2>&1 &
MOUNT_PID=$!
children+=("$MOUNT_PID")
mounts+=("$MNT")
wait_for 30 test -e "$MNT/.fetchfs/status" || fail "the mount does not answer"
page() {
	dd if="$1" bs=4096 skip=1280 count=1 status=none
}
cmp <(page "$ORIGINROOT/parts.bin") <(page "$(at "$base/rate/4000000/parts.bin")") || fail "other bytes"
on 2 fetch "$base/rate/4000000/parts.bin"
quiet_origin
served_once /rate/4000000/parts.bin $((8 << 20))
[ "$(grep -c '/206 .*/parts.bin' "$WORK/squid/access.log")" -ge 1 ] || fail "not only a part was asked for"
stop_mount

say "who asked first leaves: Squid fetches on, for the next one"
old_file 8M "$ORIGINROOT/left.bin"
on 3 cat "$base/rate/4000000/left.bin" 2>"$WORK/err" | head -c 100000 >"$WORK/head" || :
[ -s "$WORK/head" ] || fail "nothing came: $(<"$WORK/err")"
on 4 fetch "$base/rate/4000000/left.bin"
quiet_origin
served_once /rate/4000000/left.bin $((8 << 20))

say "S3"
mkdir "$ORIGINROOT/open-data"
old_file 400K "$ORIGINROOT/open-data/s3.bin"
placed "/etc/fetchfs/fetchfs.conf, S3 by Squid" s3.lan:9000 "s3.lan:${ORIGIN##*:}" >"$CONFIG"
everywhere fetch s3://open-data/s3.bin
quiet_origin
served_once /open-data/s3.bin $((400 << 10))

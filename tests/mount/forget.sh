#!/bin/bash
# A walk over very many names leaves nothing behind once the kernel has forgotten them, no memory either.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program python3

count=40000
# AddressSanitizer would keep what is freed
export ASAN_OPTIONS=$ASAN_OPTIONS:quarantine_size_mb=0:thread_local_quarantine_size_kb=0:allocator_release_to_os_interval_ms=0
start_mount

nodes() {
	sed -n 's/^fetchfs_nodes //p' "$MNT/.fetchfs/metrics"
}

# Names in uri/ ask nobody when they are looked up.
walk() {
	python3 - "$MNT/uri" $count <<-'END'
		import os, sys
		for n in range(int(sys.argv[2])):
		    os.close(os.open(f"{sys.argv[1]}/http:%2F%2F127.0.0.1:1%2F{n}.bin", os.O_PATH))
	END
}

few_nodes() {
	[ "$(nodes)" -lt 1000 ]
}

# KiB of the daemon's memory
resident() {
	sed -n 's/^VmRSS:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$MOUNT_PID/status"
}

# Half of what so many names take is 20 MiB.
near_start() {
	[ "$(resident)" -lt $((start + 20480)) ]
}

nodes >/dev/null
start=$(resident)
for _ in 1 2; do
	walk
	most=$(resident)
	# memory pressure of others may take some at any time, but hardly all
	[ "$(nodes)" -gt 1000 ] || fail "only $(nodes) nodes after $count names"
	echo 2 >/proc/sys/vm/drop_caches
	wait_for 30 few_nodes || fail "$(nodes) nodes are left"
	wait_for 30 near_start || fail "$(resident) KiB after $most with all names and $start without"
done
walk
expect_errno EHOSTUNREACH "$(at "http://127.0.0.1:1/1.bin")"
stop_mount

#!/bin/bash
# A walk over very many names leaves nothing behind once the kernel has forgotten them.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program python3

count=20000
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

for _ in 1 2; do
	walk
	# memory pressure of others may take some at any time, but hardly all
	[ "$(nodes)" -gt 1000 ] || fail "only $(nodes) nodes after $count names"
	echo 2 >/proc/sys/vm/drop_caches
	wait_for 30 few_nodes || fail "$(nodes) nodes are left"
done
walk
expect_errno EHOSTUNREACH "$(at "http://127.0.0.1:1/1.bin")"
stop_mount

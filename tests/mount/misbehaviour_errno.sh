#!/bin/bash
# What a misbehaving origin looks like through the mount: one errno each, and why in an attribute.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program curl jq python3 openssl

start_raw
start_origin
random_file 700K "$ORIGINROOT/a.bin" a
random_file 700K "$RAWROOT/a.bin" a
cat >"$CONFIG" <<-END
	[fetch]
	stall = 2s
	first_byte = 2s
	retries = 1
	negative_ttl = 0s
	ca_file = $CA
END
start_mount

# seen ERRNO REGEX URI: reading it all ends with this errno, for the reason in the attribute
seen() {
	local got error
	got=$(timeout 60 python3 - "$(at "$3")" <<-'END'
		import errno, os, sys
		try:
		    fd = os.open(sys.argv[1], os.O_RDONLY)
		    while os.read(fd, 65536):
		        pass
		    print("success")
		except OSError as e:
		    print(errno.errorcode[e.errno])
	END
	) || fail "$3: no answer in time"
	[ "$got" = "$1" ] || fail "$3: $got instead of $1"
	# (getfattr asks for the size first, which the origin may refuse, too.)
	error=$(python3 -c 'import os, sys
print(os.getxattr(sys.argv[1], "user.fetchfs.error").decode())' "$(at "$3")") || fail "$3: no attribute"
	grep -Eq -- "$2" <<<"$error" || fail "$3: said '$error', not /$2/"
}

say "answers that say no"
expect_errno ENOENT "$(at "$ORIGIN/status/404/a.bin")" # no such name, no attribute
seen EACCES '403 forbidden' "$ORIGIN/status/403/a.bin"
seen EIO '500 internal' "$ORIGIN/status/500/a.bin"
seen EIO 'more than 10 redirects' "$ORIGIN/loop"

say "silence, before and in the body"
seen ETIMEDOUT 'first byte|no answer|not one byte' "$ORIGIN/hang/a.bin"
seen ETIMEDOUT 'stalled|bytes' "$ORIGIN/stall/100000/a.bin"

say "a body that breaks off, in all its ways"
seen EIO 'shorter than promised' "$ORIGIN/short/100000/a.bin"
seen EIO '.' "$ORIGIN/chunked/short/100000/a.bin"
seen EIO '.' "$RAW/reset/100000/a.bin"
seen EIO 'hexadecimal' "$RAW/badchunk/100000/a.bin"
seen EIO 'shorter than promised' "$RAWS/cut/100000/nonotify/a.bin"

say "what is no HTTP"
seen EBADMSG 'HTTP/0.9' "$RAW/garbage/a.bin"
seen EBADMSG 'header without colon' "$RAW/line/no%20colon/a.bin"
seen EBADMSG 'contradictory' "$RAW/line/Content-Length:%207/a.bin"

say "and others are served"
cmp "$(at "$ORIGIN/a.bin")" "$ORIGINROOT/a.bin" || fail "a.bin"
cmp "$(at "$RAWS/nonotify/a.bin")" "$RAWROOT/a.bin" || fail "by TLS"
cmp "$(at "$ORIGIN/once/short/600000/a.bin")" "$ORIGINROOT/a.bin" || fail "cut once"
settle_mount
stop_mount

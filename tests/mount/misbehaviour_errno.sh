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

# How often a URI was asked for by GET.
gets_of() {
	quiet_origin
	wait_for 10 raw_is_quiet || fail "the raw server is still asked for something"
	cat "$ORIGIN_LOG" "$RAW_LOG" | grep -cF "GET /${1#*://*/} " || :
}

raw_is_quiet() {
	curl -sS --max-time 20 "$RAW/.stats" | jq -e '.running == 0' >/dev/null
}

# seen ERRNO REGEX URI [GETS]: reading it all ends with this errno, for the reason in the attribute,
# after so many requests
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
	[ -z "${4-}" ] || [ "$(gets_of "$3")" -eq "$4" ] || fail "$3: $(gets_of "$3") GETs instead of $4"
}

# read_right URI GETS: it is what it should be, after so many requests
read_right() {
	timeout 60 cmp "$(at "$1")" "$ORIGINROOT/a.bin" || fail "$1: other bytes"
	[ "$(gets_of "$1")" -eq "$2" ] || fail "$1: $(gets_of "$1") GETs instead of $2"
}

say "answers that say no"
expect_errno ENOENT "$(at "$ORIGIN/status/404/a.bin")" # no such name, no attribute
seen EACCES '403 forbidden' "$ORIGIN/status/403/a.bin" 1
seen EIO '500 internal' "$ORIGIN/status/500/a.bin" 2
seen EIO '503 service unavailable, retry after 3600 s' "$ORIGIN/retryafter/3600/9/503/a.bin" 1
seen EIO '429 too many requests, retry after 3600 s' "$ORIGIN/retryafter/3600/9/429/a.bin" 1
seen EIO 'more than 10 redirects' "$ORIGIN/loop" 11
seen EACCES 'redirect to file is never followed' "$ORIGIN/goto/file:%2F%2F%2Fetc%2Fpasswd" 1
seen EIO 'redirected to http://localhost:[0-9]+/short/1000/a.bin: body shorter' \
	"$ORIGIN/goto/http:%2F%2Flocalhost:${ORIGIN##*:}%2Fshort%2F1000%2Fa.bin" 2

say "silence, before and in the body"
start=$SECONDS
seen ETIMEDOUT 'no answer within 2 s' "$ORIGIN/hang/a.bin" 2
seen ETIMEDOUT 'stalled: 0 bytes in 2 s' "$ORIGIN/stall/1000/a.bin" 2
seen ETIMEDOUT 'no answer within 2 s|stalled' "$RAW/stopinhead/30/a.bin" 2
[ $((SECONDS - start)) -le 40 ] || fail "it took $((SECONDS - start)) s"

say "a body that breaks off, in all its ways"
seen EIO 'shorter than promised' "$ORIGIN/short/1100/a.bin" 2
seen EIO 'transfer closed' "$ORIGIN/chunked/short/100000/a.bin" 2
seen EIO 'reset by peer|shorter than promised' "$RAW/reset/1000/a.bin" 2
seen EIO 'hexadecimal' "$RAW/badchunk/100000/a.bin" 2
seen EIO 'transfer closed' "$RAW/nolast/a.bin" 2
seen EIO 'shorter than promised' "$RAW/lie/1000/a.bin" 3
seen EIO 'shorter than promised' "$RAWS/cut/1000/nonotify/a.bin" 2
seen EIO 'body cut: the connection broke off, and TLS' "$RAWS/untilclose/nonotify/a.bin" 2

read_right "$ORIGIN/short/100000/a.bin" 8

say "what is no HTTP"
seen EBADMSG 'HTTP/0.9' "$RAW/garbage/a.bin"
seen EBADMSG 'header without colon' "$RAW/line/no%20colon/a.bin"
seen EBADMSG 'contradictory' "$RAW/line/Content-Length:%207/a.bin" 1
seen EBADMSG 'content-length .* makes no sense' "$RAW/length/9223372036854775808/a.bin" 1
seen EBADMSG 'more than 100 interim answers' "$RAW/interim/5000/a.bin" 1
seen EBADMSG 'headers are longer' "$RAW/many/10000/a.bin" 1
seen EBADMSG 'trailers are longer' "$RAW/trailers/a.bin" 1

say "and others are served"
cmp "$(at "$ORIGIN/a.bin")" "$ORIGINROOT/a.bin" || fail "a.bin"
cmp "$(at "$RAWS/nonotify/a.bin")" "$RAWROOT/a.bin" || fail "by TLS"
read_right "$ORIGIN/once/short/600000/a.bin" 2
read_right "$ORIGIN/noranges/a.bin" 1
read_right "$ORIGIN/wrongrange/once/short/600000/a.bin" 3
read_right "$ORIGIN/chunked/a.bin" 1
read_right "$ORIGIN/redirect/10/a.bin" 1
read_right "$ORIGIN/goto/http:%2F%2Flocalhost:${ORIGIN##*:}%2Fa.bin" 1
read_right "$ORIGIN/retryafter/1/1/503/a.bin" 2
cmp "$(at "$RAW/lie/-1000/a.bin")" <(head -c 715800 "$RAWROOT/a.bin") || fail "more than promised"
random_file 3000 "$RAWROOT/small.bin" small
cmp "$(at "$RAW/bytewise/100/small.bin")" "$RAWROOT/small.bin" || fail "a byte at a time"

say "one that has read some goes on where the whole has to come again, if it is the same for sure"
read_right "$ORIGIN/noranges/rate/400000/once/short/600000/a.bin" 2
read_right "$ORIGIN/header/Accept-Ranges/bytes/noranges/rate/400000/once/short/600000/a.bin" 3
seen EIO 'shorter than promised' "$ORIGIN/weak/rate/400000/once/short/600000/a.bin" 1
settle_mount
stop_mount

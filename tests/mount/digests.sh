#!/bin/bash
# A name in uri/ may say what the bytes hash to: no byte is read before they do.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse
need_program getfattr sha512sum md5sum
start_origin
random_file 3M "$ORIGINROOT/a.bin" a
printf '[policy]\nprivate = allow\n' >"$CONFIG"
start_mount
sha512=$(sha512sum <"$ORIGINROOT/a.bin" | cut -d' ' -f1)
md5=$(md5sum <"$ORIGINROOT/a.bin" | cut -d' ' -f1)

say "wrong ones are EBADMSG, with both values in the attribute"
for sum in "sha512=${sha512//[0-7]/8}" "md5=${md5//[0-7]/8}" "sha1=$(printf '%040d' 0)"; do
	name=$(at "$ORIGIN/a.bin#$sum")
	expect_errno EBADMSG "$name"
	text=$(getfattr -n user.fetchfs.error --only-values "$name" 2>/dev/null) || :
	[[ $text == *"${sum%=*} is "*", expected ${sum#*=}"* ]] || fail "$sum: said '$text'"
done
expect_errno ENOENT "$(at "$ORIGIN/a.bin#sha512=00")"

say "right ones are read, whatever the spelling"
cmp "$ORIGINROOT/a.bin" "$(at "$ORIGIN/a.bin#sha512=$sha512")" || fail "bytes differ"
cmp "$ORIGINROOT/a.bin" "$(at "$ORIGIN/a.bin")%23sha512%3D$sha512" || fail "escaped: bytes differ"
cmp "$ORIGINROOT/a.bin" "$(at "$ORIGIN/a.bin#md5=$md5")" || fail "md5: bytes differ"

say "what was corrupt on its way once is read right"
cmp "$ORIGINROOT/a.bin" "$(at "$ORIGIN/first/1/corrupt/novalidators/a.bin#md5=$md5")" || fail "bytes differ"
settle_mount
stop_mount
no_debris

say "each was sent once, but for the corrupt one"
settle_origin
[ "$(origin_requests GET /a.bin)" -eq 7 ] || fail "asked $(origin_requests GET /a.bin) times"
[ "$(origin_requests GET '/first/.*')" -eq 2 ] ||
	fail "asked $(origin_requests GET '/first/.*') times"

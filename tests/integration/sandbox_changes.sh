#!/bin/bash
# A sandbox reads its own bytes, whatever others do with the cache meanwhile: the artifacts change,
# are refreshed, evicted, and the cache becomes full.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sandbox.sh"
need_root
need_program jq

start_nginx
echo "[cache]
size = 32M
min_free = 0
[policy]
allow = $HTTP/" >"$CONFIG"
random_file 4M "$WWW/a" first
cp "$WWW/a" "$WORK/first"
sha=$(sha256 "$WORK/first")
object=$CACHE/objects/${sha:0:2}/$sha
for i in 1 2 3 4 5 6 7 8; do random_file 6M "$WWW/filler$i" "filler$i"; done

# still METHOD: what was placed is what it was, to the task, too
still() {
	as_task cmp "$WORK/$1/a" "$WORK/first" || fail "$1: other bytes $2"
}

all_still() {
	local method
	for method in bind hardlink copy; do still $method "$1"; done
}

for method in bind hardlink copy; do
	make_box $method
	fetchfs prepare --method $method --user nobody "$box" "$HTTP/a"
done

say "the artifact changes, and others fetch it"
random_file 4M "$WWW/a" second
touch -d 2001-02-03 "$WWW/a" # (nginx makes its ETag of seconds and sizes)
fetchfs fetch --refresh "$HTTP/a"
fetchfs cat "$HTTP/a" | cmp - "$WWW/a" || fail "others do not see the change"
all_still "after a change"
expect_failure 1 'release first' "${fetchfs[@]}" prepare --method bind --user nobody "$WORK/bind" "$HTTP/a"
still bind "after another prepare"

say "it is evicted, and all that can be"
fetchfs -q evict "$HTTP/a"
fetchfs -q evict --all
all_still "after an eviction"
for i in 1 2 3 4 5 6 7 8; do fetchfs fetch "$HTTP/filler$i"; done
all_still "in a full cache"
[ -e "$object" ] || fail "what is lent was evicted"

say "what is given back can go; what others still have stays"
fetchfs release "$WORK/copy"
fetchfs release "$WORK/hardlink"
fetchfs -q evict --all
still bind "after the others were released"
fetchfs release "$WORK/bind"
no_mounts
fetchfs -q evict --all
[ ! -e "$object" ] || fail "it stays for ever"
no_debris

#!/bin/bash
# Files handed to a task: in place, right, and no way back into the cache.
. "$(dirname "$0")/../support/lib.sh"
need_root

start_nginx
echo "[cache]
hardlink = yes
[policy]
allow = $HTTP/" >"$CONFIG"
names=(one.bin two.bin three.bin four.bin five.bin)
uris=()
for name in "${names[@]}"; do
	random_file 300K "$WWW/$name" "$name"
	uris+=("$HTTP/$name")
done

# prepared DIR: it holds the five files and nothing else
prepared() {
	local name
	for name in "${names[@]}"; do
		cmp "$1/$name" "$WWW/$name" || fail "$1/$name: other bytes"
	done
	[ "$(find "$1" -type f | wc -l)" -eq ${#names[@]} ] || fail "$1: $(ls "$1")"
}

as_nobody() {
	setpriv --reuid=65534 --regid=65534 --clear-groups -- "$@"
}

sandbox() {
	mkdir "$WORK/$1"
	chown 65534:65534 "$WORK/$1"
}

say "five URIs are five files, by copy"
sandbox copied
fetchfs prepare --method copy --user nobody "$WORK/copied" "${uris[@]}"
prepared "$WORK/copied"

say "by hardlink: the task owns the folder, and cannot change the bytes"
sandbox linked
fetchfs prepare --method hardlink --user nobody "$WORK/linked" "${uris[@]}"
prepared "$WORK/linked"
[ "$(stat -c %h "$WORK/linked/one.bin")" -gt 1 ] || fail "not a hardlink"
for attempt in 'echo x >one.bin' 'echo x >>one.bin' 'chmod 666 one.bin' 'truncate -s 0 one.bin' \
	'touch -d 2001-01-01 one.bin' 'dd if=/dev/zero of=one.bin bs=1 count=1 conv=notrunc'; do
	! as_nobody sh -c "cd $WORK/linked && $attempt" 2>/dev/null || fail "allowed: $attempt"
done
fetchfs cat "${uris[0]}" | cmp - "$WWW/one.bin" || fail "the cached bytes changed"

say "what is lent is not evicted, what was released is"
expect_failure 1 'evict.*one\.bin' "${fetchfs[@]}" evict "${uris[0]}"
fetchfs release "$WORK/linked"
fetchfs release "$WORK/copied"
fetchfs evict "${uris[0]}"

say "from a JSON specification, with names and modes"
sandbox spec
cat >"$WORK/spec.json" <<-END
	{"user": "nobody", "uris": [
		{"value": "${uris[0]}", "output_file": "deep/er/tool", "executable": true},
		{"value": "${uris[1]}", "digest": "sha256:$(sha256 "$WWW/two.bin")"}
	]}
END
fetchfs prepare --spec "$WORK/spec.json" "$WORK/spec"
cmp "$WORK/spec/deep/er/tool" "$WWW/one.bin" || fail "output_file: other bytes"
[ -x "$WORK/spec/deep/er/tool" ] || fail "executable: it is not"
cmp "$WORK/spec/two.bin" "$WWW/two.bin" || fail "digest: other bytes"
fetchfs release "$WORK/spec"

say "names that lead out of the folder are refused, and leave nothing"
sandbox refused
for name in ../out /tmp/fetchfs-out a/../../out .. ''; do
	jq -n --arg uri "${uris[0]}" --arg name "$name" \
		'[{value: $uri, output_file: $name}]' >"$WORK/spec.json"
	expect_failure '[12]' 'output_file' \
		"${fetchfs[@]}" prepare --user nobody --spec "$WORK/spec.json" "$WORK/refused"
done
ln -s "$WORK" "$WORK/refused/link"
jq -n --arg uri "${uris[0]}" '[{value: $uri, output_file: "link/out"}]' >"$WORK/spec.json"
expect_failure 1 'link' "${fetchfs[@]}" prepare --user nobody --spec "$WORK/spec.json" "$WORK/refused"
[ -z "$(find "$WORK/refused" -type f)" ] || fail "something was placed"
[ ! -e "$WORK/out" ] || fail "something was placed outside"

say "one URI fails: the call says which, and no half file stays"
sandbox failed
expect_failure 1 'status/404' "${fetchfs[@]}" prepare --user nobody "$WORK/failed" "${uris[0]}" "$HTTP/status/404"
[ -z "$(find "$WORK/failed" -type f)" ] || fail "left behind: $(ls "$WORK/failed")"
no_debris

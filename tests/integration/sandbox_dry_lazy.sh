#!/bin/bash
# prepare --dry-run says of each item what prepare then does: by which method, and whether lazily; also of
# what nobody has asked for yet, of what is private, and of what was placed before.
# shellcheck disable=SC2016 # the variables are jq's
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/sandbox.sh"
need_root
need_fuse
need_program jq setpriv tar

start_origin
cat >"$CONFIG" <<-END
	[cache]
	hardlink = yes
	[fetch]
	ttl = 1h
	[policy]
	allow = $ORIGIN/
	file = $WWW
	[origin "$ORIGIN/own/"]
	header = X-Key: key
	users = nobody
	END
chmod 600 "$CONFIG" # it has a secret
mkdir "$ORIGINROOT/own"
for name in plain here bound copied linked tool moded asked named own/key other; do
	random_file 20K "$ORIGINROOT/$name" "$name"
done
cp "$ORIGINROOT/here" "$ORIGINROOT/twin"
mkdir "$ORIGINROOT/dir"
cp "$ORIGINROOT/other" "$ORIGINROOT/dir/other"
random_file 20K "$WWW/local" local
tar -C "$ORIGINROOT" -cf "$ORIGINROOT/all.tar" plain tool
start_mount

jq -n --arg o "$ORIGIN" --arg f "file://$WWW" --arg here "sha256:$(sha256 "$ORIGINROOT/here")" \
	--arg md5 "md5:$(md5sum "$ORIGINROOT/named" | cut -c1-32)" '[
	{value: "\($o)/plain"}, {value: "\($o)/here"},
	{value: "\($o)/bound", method: "bind"},
	{value: "\($o)/copied", method: "copy"},
	{value: "\($o)/linked", method: "symlink"},
	{value: "\($o)/tool", executable: true},
	{value: "\($o)/moded", mode: "0640", method: "copy"},
	{value: "\($o)/asked?token=s3cret", output_file: "asked"},
	{value: "\($o)/named", digest: $md5},
	{value: "\($o)/own/key"},
	{value: "\($o)/twin", digest: $here},
	{value: "\($f)/local"},
	{value: "\($o)/all.tar", extract: true, output_file: "all"}]' >"$WORK/spec"

# What prepare says, or would do, of all: a line each.
said() {
	"${fetchfs[@]}" prepare --user nobody "$@" --json --spec "$WORK/spec" "$box" |
		jq -r '.[] | [(.path | sub(".*/"; "")), .method, .lazy] | @tsv' || fail "prepare $*: $(<"$WORK/spec")"
}

# as_said OPTION…: the same, and nothing is done by the first.
as_said() {
	said --dry-run "$@" >"$WORK/would"
	said "$@" >"$WORK/did"
	diff "$WORK/would" "$WORK/did" || fail "with $*: not what was said"
}

say "nothing is asked, for whatever way it would be placed"
make_box box
fetchfs fetch -q "$ORIGIN/here"
settle_origin
before=$(wc -l <"$ORIGIN_LOG")
said --dry-run --mount "$MNT" --lazy >/dev/null
settle_origin
[ "$(wc -l <"$ORIGIN_LOG")" -eq "$before" ] || fail "asked: $(<"$ORIGIN_LOG")"
contents_are ""

say "as it is done: lazily, and again"
as_said --mount "$MNT" --lazy
{ grep -q "^plain.bind.true" "$WORK/did" && grep -q "^key.*false" "$WORK/did"; } || fail "$(<"$WORK/did")"
as_said --mount "$MNT" --lazy
fetchfs release "$box"

say "as it is done: at once, and of what has been fetched meanwhile"
fetchfs evict --all >/dev/null 2>&1 || :
as_said --mount "$MNT"
fetchfs release "$box"
as_said --mount "$MNT" --lazy
fetchfs release "$box"

say "what an earlier call placed is compared, as far as it is known what is to be"
place=("${fetchfs[@]}" prepare --mount "$MNT" --user nobody)
"${place[@]}" --lazy --method bind "$box" "$ORIGIN/other"
"${place[@]}" --lazy --method bind --dry-run "$box" "$ORIGIN/other" >"$WORK/would"
grep -q '^bind .* lazy ' "$WORK/would" || fail "$(<"$WORK/would")"
expect_failure 1 'placed before it changed' "${place[@]}" --lazy --method bind --dry-run "$box" \
	"$ORIGIN/other#sha256=$(sha256 "$ORIGINROOT/here")"
fetchfs release "$box"

say "what is lazy and nobody has read yet becomes what is fetched for it, or is here by another name"
other=$ORIGIN/other#sha256=$(sha256 "$ORIGINROOT/other")
twin=$ORIGIN/twin#sha256=$(sha256 "$ORIGINROOT/twin")
fetchfs fetch -q "$ORIGIN/here"
fetchfs evict "$ORIGIN/other" "$ORIGIN/twin" 2>/dev/null || :
"${place[@]}" --lazy --method bind "$box" "$ORIGIN/other" "$ORIGIN/twin"
for uri in "$other" "$twin"; do
	"${place[@]}" --dry-run "$box" "$uri" >"$WORK/would" || fail "$uri: $(<"$WORK/would")"
done
# the same bytes from elsewhere are not what was placed
for dry in --dry-run ""; do
	expect_failure 1 'placed before it changed' "${place[@]}" ${dry:+"$dry"} "$box" "${other/other/dir/other}"
done
"${place[@]}" "$box" "$other" "$twin"
fetchfs release "$box"

say "what its origin has not, by what it said a moment ago, fails as it would"
for lazy in "" --lazy; do
	what=("${place[@]}" ${lazy:+"$lazy"} --method bind)
	"${what[@]}" "$box" "$ORIGIN/none" >"$WORK/did" 2>&1 && fail "none is there"
	for dry in "" --dry-run; do # which tells what the first was told
		expect_failure 1 "not found${lazy:+$}" "${what[@]}" ${dry:+"$dry"} "$box" "$ORIGIN/none"
	done
done
stop_mount

#!/bin/bash
# fetchfs config: what is in force, where it was said, and why a URI is allowed or not.
. "$(dirname "$0")/../support/lib.sh"
need_program jq

cat >"$CONFIG" <<'END'
[cache]
size = 10G ; a comment
[policy]
allow = http://10.0.0.1/a/, https://intra.example/
deny = https://bad.example/
[origin "https://releases.example.org/"]
bearer = hidden1
header = Authorization: Basic hidden2
users = nobody
list = yes
header = X-Vault-Pass: hidden4
[cache]
size = 20G
[fetch]
proxy = http://me:hidden3@proxy.example:3128
END
chmod 600 "$CONFIG"

say "all of it, as a file that could be read again, with what nobody has said as comments"
fetchfs config >"$WORK/all"
grep -A1 -x "# $CONFIG:13" "$WORK/all" | grep -qx "size = 20G" || fail "the last word: $(<"$WORK/all")"
! grep -q "10G" "$WORK/all" || fail "a word that does not count"
grep -qx "#connections = 200" "$WORK/all" || fail "a default: $(<"$WORK/all")"
grep -qx "#stale_if_error = 1d" "$WORK/all" || fail "a default: $(<"$WORK/all")"
grep -qx '\[origin "https://releases.example.org/"\]' "$WORK/all" || fail "no section: $(<"$WORK/all")"
! grep -q hidden "$WORK/all" || fail "a secret: $(<"$WORK/all")"
grep -v "…" "$WORK/all" >"$WORK/again.conf"
fetchfs --config "$WORK/again.conf" config | grep -v '^#' >"$WORK/again"
cmp <(grep -v '^#\|…' "$WORK/all") "$WORK/again" || fail "it is another one: $(<"$WORK/again")"
fetchfs config --json | jq -es 'map(select(.key == "list")) == [{section: "origin",
	prefix: "https://releases.example.org/", key: "list", value: "yes", file: "'"$CONFIG"'", line: 10}]' >/dev/null ||
	fail "$(fetchfs config --json)"

# says FIELD REGEX [OPTION…] URI
says() {
	local field=$1 regex=$2
	shift 2
	fetchfs config "$@" >"$WORK/why"
	grep -Eq "^$field +$regex( |\$)" "$WORK/why" || fail "$*: not $field $regex: $(<"$WORK/why")"
	! grep -q hidden "$WORK/why" || fail "a secret: $(<"$WORK/why")"
}

say "why a URI is allowed, for whom it is, and what holds for it"
says rule "asked by the owner of the cache" http://10.0.0.1/b
says policy "forbidden by policy: add 'allow = http://10.0.0.1/' to \[policy\]" --user nobody http://10.0.0.1/b
says rule "allow = http://10.0.0.1/a/ +\($CONFIG:4\)" --user nobody http://10.0.0.1/a/b
says rule "deny = https://bad.example/ +\($CONFIG:5\)" https://bad.example/x
says policy "forbidden by policy: 'deny = https://bad.example/' in \[policy\]" https://bad.example/x
says rule "open to everybody, at public addresses" --user nobody ftp://h.example/x
says rule "open below the folders that 'file' in \[policy\] names" --user nobody file:///etc/passwd
says policy "forbidden by policy: add 'file = /etc' to \[policy\]" --user nobody file:///etc/passwd
says visible "to everybody" ftp://h.example/x
says visible "to user $(id -u): a query may be a secret" "https://h.example/x?token=hidden"
says visible "to who knows the user and the password" https://me:hidden@h.example/x
says credentials "those of the URI" https://me:hidden@h.example/x
says visible "to the users of \[origin \"https://releases.example.org/\"\]" https://releases.example.org/x
says credentials "those of the section" https://releases.example.org/x
says list "yes +\($CONFIG:10\)" https://releases.example.org/x
says policy "forbidden by policy: add a section \[s3 .*" --user nobody s3://bucket/key
says policy "forbidden by policy: 'users = …' in \[origin .* does not name uid 1" --user daemon https://releases.example.org/x
[ "$(fetchfs config --json https://h.example/x | jq -r 'select(.key == "policy").value')" = allowed ] || fail "--json"

say "no cache is made for it"
[ ! -e "$CACHE" ] || fail "there is a cache"

say "what makes no sense"
printf '\n[cache]\nsiez = 1G\n' >"$WORK/wrong.conf"
expect_failure 1 "wrong.conf:3: unknown key 'siez' in \[cache\] \(did you mean 'size'\?\)" \
	"$FETCHFS" --config "$WORK/wrong.conf" config
expect_failure 1 "malformed URI" "${fetchfs[@]}" config nonsense
status=0
fetchfs config --user nobody 2>/dev/null || status=$?
[ $status -eq 2 ] || fail "--user without a URI: status $status"

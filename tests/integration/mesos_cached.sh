#!/bin/bash
# mesos-fetcher with an agent that keeps a cache of its own: downloads into it, and out of it.
. "$(dirname "$0")/../support/namespace.sh"
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/users.sh"
. "$(dirname "$0")/../support/mesos.sh"
start_nginx
configure() {
	printf '%s\n' '[cache]' "hardlink = $1" '[policy]' 'private = allow' >"$CONFIG"
}
configure no
USER_NAME=alice
AGENTS=$WORK/agent/cache/alice

random_file 200K "$WWW/data" data
mkdir "$WORK/tree"
random_file 10K "$WORK/tree/file"
tar czf "$WWW/pack.tar.gz" -C "$WORK/tree" file
gzip -c "$WORK/tree/file" >"$WWW/word.gz"

down() { item "$1" "{\"cache\": true${3:+, $3}}" DOWNLOAD_AND_CACHE "$2"; }
back() { item "$1" "{\"cache\": true${3:+, $3}}" RETRIEVE_FROM_CACHE "$2"; }

say "downloaded into the agent's cache, as it wants it named, and into the sandbox"
new_box
fetched "$(down "$HTTP/data" c1-data)"
same data "$WWW/data"
cmp "$AGENTS/c1-data" "$WWW/data" || fail "the agent's: other bytes"
[ "$(stat -c %U "$AGENTS/c1-data" "$AGENTS" "$box/data" | sort -u)" = alice ] || fail "whose it is"
said "Downloading resource from '$HTTP/data' to '$AGENTS/c1-data'"
said "Fetching URI '$HTTP/data' from cache"
said "Fetched '$HTTP/data' to '$box/data'"

say "it is for nobody else to read"
mode_is "$AGENTS" 700
mode_is "$AGENTS/c1-data" 600
! as bob cat "$AGENTS/c1-data" 2>/dev/null || fail "bob reads it"

say "out of it: nobody is asked"
new_box
settle_nginx
before=$(requests '(GET|HEAD)' /data)
fetched "$(back "$HTTP/data" c1-data)" "$(back "$HTTP/data" c1-data '"output_file": "x", "executable": true')"
same data "$WWW/data"
same x "$WWW/data"
mode_is "$box/data" 644
mode_is "$box/x" 755
unsaid Downloading
settle_nginx
[ "$(requests '(GET|HEAD)' /data)" -eq "$before" ] || fail "the origin was asked"

say "what is there already is not downloaded again: that is how an agent has one for two items"
new_box
before=$(stat -c '%i %z' "$AGENTS/c1-data")
fetched "$(down "$HTTP/data" c1-data)" "$(down "$HTTP/data" c1-data '"output_file": "two"')"
same data "$WWW/data"
same two "$WWW/data"
unsaid Downloading
[ "$(stat -c '%i %z' "$AGENTS/c1-data")" = "$before" ] || fail "the agent's file is another one"

say "… unless somebody else made it: then it is replaced, and what came after gets the right one, too"
for how in shorter "of that size" "of another URI" "of nothing known"; do
	new_box
	case $how in
	shorter) echo 'the agents' ;;
	"of that size") tr '\0-\377' '\1-\377\0' <"$WWW/data" ;;
	"of another URI") cat "$WWW/word.gz" && fetchfs fetch "$HTTP/word.gz" ;;
	"of nothing known") cat "$WWW/data" && fetchfs evict "$HTTP/data" ;;
	esac >"$AGENTS/c1-data"
	fetched "$(down "$HTTP/data" c1-data)" "$(down "$HTTP/data" c1-data '"output_file": "two"')"
	same data "$WWW/data"
	same two "$WWW/data"
	cmp "$AGENTS/c1-data" "$WWW/data" || fail "$how: it stayed"
	mode_is "$AGENTS/c1-data" 600
	[ "$(stat -c %U "$AGENTS/c1-data")" = alice ] || fail "$how: whose it is"
	said "Cache file '$AGENTS/c1-data' is not what came from '$HTTP/data'"
	[ "$(grep -c Downloading "$WORK/stderr")" -eq 1 ] || fail "$how: $(<"$WORK/stderr")"
done

say "of archives there are only the contents, by the rules that hold without a cache"
new_box
fetched "$(down "$HTTP/pack.tar.gz" c3-pack.tar.gz)" "$(down "$HTTP/word.gz" c4-word.gz)"
[ "$(contents)" = "./file ./word " ] || fail "there is $(contents)"
said "Fetched '$HTTP/pack.tar.gz' to '$box'"
new_box
fetched "$(back "$HTTP/pack.tar.gz" c3-pack.tar.gz)" "$(back "$HTTP/word.gz" c4-word.gz)"
[ "$(contents)" = "./file ./word " ] || fail "there is $(contents)"
same file "$WORK/tree/file"
same word "$WORK/tree/file"
new_box
fetched "$(back "$HTTP/pack.tar.gz" c3-pack.tar.gz '"output_file": "sub/plain"')" \
	"$(back "$HTTP/pack.tar.gz" c3-pack.tar.gz '"extract": false')"
[ "$(contents)" = "./pack.tar.gz ./sub ./sub/plain " ] || fail "there is $(contents)"
same pack.tar.gz "$WWW/pack.tar.gz"

say "a file that is not there fails the call"
new_box
refused "Cache file '$AGENTS/c9-data'.*no such file" "$(back "$HTTP/data" c9-data)"
refused 'Cache file' "$(back "$HTTP/data" c9-data)" "$(down "$HTTP/data" c9-data)"
[ ! -e "$AGENTS/c9-data" ] || fail "what comes after a failure was downloaded"

say "a download that fails leaves nothing, here or there"
refused 404 "$(down "$HTTP/none" c10-none)"
[ ! -e "$AGENTS/c10-none" ] || fail "an error page in the agent's cache"
[ -z "$(contents)" ] || fail "there is $(contents)"

say "names that are none"
for name in ../out a/b . ..; do refused 'cache file name' "$(down "$HTTP/data" "$name")"; done
refused 'No cache file name' "$(item "$HTTP/data" '{}' DOWNLOAD_AND_CACHE)"
fetcher "$(info "$(down "$HTTP/data" c1-data)" | jq -c 'del(.cache_directory)')"
[ $status -eq 1 ] || fail "without a cache: status $status"
said 'Cache directory not specified'

say "the user's folder leads nowhere else"
rm "$AGENTS/c1-data"
ln -s "$WORK/private" "$AGENTS/c1-data"
random_file 1K "$WORK/private"
chmod 600 "$WORK/private"
refused 'permission denied' "$(back "$HTTP/data" c1-data)"
refused 'permission denied' "$(down "$HTTP/data" c1-data)"
rm "$AGENTS/c1-data"

say "a folder that an agent made as root is given to the user"
USER_NAME=bob
AGENTS=$WORK/agent/cache/bob
mkdir "$AGENTS"
new_box
fetched "$(down "$HTTP/data" c1-data)"
[ "$(stat -c %U "$AGENTS")" = bob ] || fail "it is $(stat -c %U "$AGENTS")'s"
rm -rf "$AGENTS"
mkdir "$WORK/elsewhere"
ln -s "$WORK/elsewhere" "$AGENTS"
fetcher "$(info "$(down "$HTTP/data" c1-data)")"
[ $status -eq 1 ] || fail "a link: status $status"
said 'Could not create the fetcher cache directory'
[ "$(stat -c %U "$WORK/elsewhere")" = root ] || fail "what it leads to was given away"

say "a task without a user comes first: its folder is what the users' are in, and theirs are usable"
for mask in 022 077; do
	rm -rf "$WORK/agent"
	umask $mask
	USER_NAME=
	AGENTS=$WORK/agent/cache
	new_box
	fetched "$(down "$HTTP/data" c1-data)"
	USER_NAME=alice
	AGENTS=$WORK/agent/cache/alice
	for action in down down back; do
		new_box
		fetched "$($action "$HTTP/data" c2-data)"
		same data "$WWW/data"
	done
	umask 022
	unsaid Downloading
	mode_is "$WORK/agent/cache" 711
	mode_is "$AGENTS" 700
	mode_is "$WORK/agent/cache/c1-data" 600
	! as alice ls "$WORK/agent/cache" 2>/dev/null || fail "alice sees what root has"
	! as alice cat "$WORK/agent/cache/c1-data" 2>/dev/null || fail "alice reads what root has"
done

say "… or with a user: likewise"
rm -rf "$WORK/agent"
(umask 077 && fetched "$(down "$HTTP/data" c1-data)" && fetched "$(back "$HTTP/data" c1-data)")
mode_is "$WORK/agent" 711
mode_is "$WORK/agent/cache" 711
rm -rf "$WORK/agent"

say "one content is on the disk once, however many users have it"
[ "$(find "$CACHE/objects" -type f -exec cmp -s {} "$WWW/data" \; -print | wc -l)" -eq 1 ] ||
	fail "$(find "$CACHE/objects" -type f)"

if cp --reflink=always "$WWW/data" "$CACHE/reflinked" 2>/dev/null; then
	say "(blocks can be shared here: nothing is ever a hardlink)"
	exit 0
fi

say "a hardlink where that is allowed: no second copy, and the task cannot change it"
configure yes
USER_NAME=alice
AGENTS=$WORK/agent/cache/alice
new_box
fetched "$(down "$HTTP/data" c1-data)"
object=$(find "$CACHE/objects" -name "$(sha256 "$WWW/data")")
[ "$AGENTS/c1-data" -ef "$object" ] || fail "the agent's is no hardlink"
[ "$(stat -c %s "$AGENTS/c1-data")" -eq 204800 ] || fail "its size, as an agent sees it"
! as alice sh -c "echo x >>'$AGENTS/c1-data'" 2>/dev/null || fail "alice wrote into the cache"
! as alice chmod 666 "$AGENTS/c1-data" 2>/dev/null || fail "alice changed its mode"
rm "$AGENTS/c1-data" # as the agent does
fetchfs cat "$HTTP/data" | cmp - "$WWW/data" || fail "the cache lost its own"

say "… but not of what is private, for root, or executable"
fetched "$(down "$HTTP/data?key=1" c5-data)" "$(item "$HTTP/data" '{"executable": true, "output_file": "x"}')" \
	"$(item "$HTTP/data?key=1" '{"output_file": "y"}')" "$(item "$HTTP/data" '{"output_file": "z"}')"
[ "$(stat -c %h "$AGENTS/c5-data" "$box/x" "$box/y" | sort -u)" = 1 ] || fail "hardlinks of it"
[ "$box/z" -ef "$object" ] || fail "what is everybody's is no hardlink"
fetchfs fetch --executable "$HTTP/data"
new_box
fetched "$(item "$HTTP/data")"
mode_is "$box/data" 444
[ "$box/data" -ef "$object" ] || fail "what others wanted as an executable is no hardlink"
USER_NAME=
AGENTS=$WORK/agent/cache/root
new_box
fetched "$(down "$HTTP/data" c6-data)"
[ "$(stat -c %h "$AGENTS/c6-data" "$box/data" | sort -u)" = 1 ] || fail "hardlinks for root"

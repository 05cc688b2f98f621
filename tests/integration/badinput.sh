#!/bin/bash
# What is wrong is told by its errno and in one line, leaves nothing behind, and harms nobody else.
. "$(dirname "$0")/../support/lib.sh"
need_fuse

start_nginx
start_origin
mkdir "$WWW/dir"
random_file 100K "$WWW/good.bin" good
cat >"$CONFIG" <<-END
	[fetch]
	retries = 1
	connect = 5s
	negative_ttl = 0s
	[policy]
	file = $WWW/dir
END
start_mount
tree=$MNT/${HTTP/:\/\//\/}
closed=http://127.0.0.1:$(free_port)

# refused ERRNO STATUS REGEX URI: through the mount, and by the command
refused() {
	expect_errno "$1" "$(at "$4")"
	expect_failure "$2" "^fetchfs: fetch .*$3" "${fetchfs[@]}" fetch "$4"
	healthy "$4"
}

healthy() {
	cmp "$WWW/good.bin" "$(at "$HTTP/good.bin")" || fail "after $1: others are not served"
}

# accepted URI FILE: the bytes of FILE, through the mount and by the command
accepted() {
	cmp "$2" "$(at "$1")" || fail "$1: other bytes through the mount"
	[ "$(stat -c %s "$(at "$1")")" -eq "$(stat -c %s "$2")" ] || fail "$1: another size"
	fetchfs cat "$1" | cmp - "$2" || fail "$1: other bytes by cat"
}

say "URIs that are none: a wrong argument, a name that cannot exist"
refused ENOENT 1 '' 'http://'
refused ENOENT 1 '' 'no scheme at all'
refused EPROTONOSUPPORT 1 'gopher' 'gopher://example.org/x'

say "answers that say no"
refused ENOENT 1 '404' "$HTTP/status/404"
refused ENOENT 1 '410' "$HTTP/status/410"
refused EACCES 1 '403' "$HTTP/status/403"
refused EIO 3 '500' "$HTTP/status/500"

say "origins that are not there"
refused EHOSTUNREACH 3 '' "$closed/x.bin"
refused EHOSTUNREACH 3 'no-such-host' "http://no-such-host.invalid/x.bin"

say "bytes that are not the right ones"
wrong=sha256:$(printf '%064d' 1)
expect_failure 1 'sha256.*expected' "${fetchfs[@]}" fetch --digest "$wrong" "$HTTP/good.bin"
expect_failure 1 'sha256.*expected' "${fetchfs[@]}" fetch "$HTTP/good.bin?other#${wrong/:/=}"
healthy "a wrong digest"

say "names that are too long, or climb"
long=$(printf 'x%.0s' {1..300})
expect_errno ENAMETOOLONG "$tree/$long"
expect_errno ENAMETOOLONG "$(at "$HTTP/$long")"
random_file 1000 "$WWW/dir/up.bin"
accepted "$HTTP/a/../dir/./up.bin" "$WWW/dir/up.bin"
expect_errno ENOENT "$(at "$HTTP/../../etc/passwd")"
accepted "file://$WWW/dir/up.bin" "$WWW/dir/up.bin"
expect_errno EACCES "$(at "file://$WWW/dir/../good.bin")"
expect_errno EACCES "$(at "file:///etc/passwd")"
deep=$(printf 'long-name-%.0s' {1..12})
mkdir -p "$WWW/$deep/$deep/$deep"
ln "$WWW/good.bin" "$WWW/$deep/$deep/$deep/deep.bin"
cmp "$WWW/good.bin" "$tree/$deep/$deep/$deep/deep.bin" || fail "a long path of short names"

say "files and URIs at the edges"
: >"$WWW/empty.bin"
accepted "$HTTP/empty.bin" "$WWW/empty.bin"
random_file 262144 "$WWW/chunk.bin"
accepted "$HTTP/chunk.bin" "$WWW/chunk.bin"
accepted "$HTTP/chunk.bin?a=1&b=%20/2" "$WWW/chunk.bin"
echo spaces >"$WWW/a b.txt"
accepted "$HTTP/a%20b.txt" "$WWW/a b.txt"
accepted "$HTTP/a b.txt" "$WWW/a b.txt"
cmp "$WWW/a b.txt" "$tree/a b.txt" || fail "spaces in the natural tree"
echo umlaut >"$WWW/grüße-日本.txt"
accepted "$HTTP/grüße-日本.txt" "$WWW/grüße-日本.txt"
cmp "$WWW/grüße-日本.txt" "$tree/grüße-日本.txt" || fail "UTF-8 in the natural tree"

settle_mount
stop_mount
no_debris

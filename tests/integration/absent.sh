#!/bin/bash
# A search path full of misses costs one request each: "no such thing" is remembered, for everybody,
# for as long as configured and no longer.
. "$(dirname "$0")/../support/lib.sh"
need_root
need_fuse

start_nginx
random_file 10K "$WWW/a.bin"
tree=$MNT/${HTTP/:\/\//\/}

# asked PATH: how often; a regular expression
asked() {
	settle_nginx
	requests '[A-Z]+' "$1"
}

asked_is() {
	[ "$(asked "$1")" -eq "$2" ] || fail "$1: asked $(asked "$1") times, not $2"
}

# absent NAME: nobody finds it
absent() {
	expect_errno ENOENT "$(at "$HTTP/$1")"
	! cat "$tree/$1" 2>/dev/null || fail "$1: the tree has it"
	expect_failure 1 'not found' "${fetchfs[@]}" cat "$HTTP/$1"
	expect_failure 1 'not found' "${fetchfs[@]}" fetch "$HTTP/$1"
	! [ -e "$(at "$HTTP/$1")" ] || fail "$1: test finds it"
}

# search FOLDER: along twenty of them, for two names, as a linker does
search() {
	local i
	for i in {1..20}; do
		! cat "$tree/$1$i/libz.a" "$tree/$1$i/libz.so" 2>/dev/null || return 1
		! stat "$tree/$1$i/libz.a" >/dev/null 2>&1 || return 1
	done
}

say "twenty folders, two names in each, whoever searches them, and how many at once"
printf '[fetch]\nnegative_ttl = 1h\n' >"$CONFIG"
start_mount
# all_fetch FOLDER: the commands, the same
all_fetch() {
	! "${fetchfs[@]}" fetch "$HTTP/$1"{1..20}/libz.{a,so} 2>/dev/null
}

# four COMMAND FOLDER: at the same moment; each name is asked for once
four() {
	local i pids=()
	for i in {1..4}; do
		"$@" &
		pids+=($!)
	done
	for i in "${pids[@]}"; do
		wait "$i" || fail "something was found"
	done
	for i in {1..20}; do
		asked_is "/$2$i/libz.a" 1
		asked_is "/$2$i/libz.so" 1
	done
}

search lib || fail "something was found"
four search lib
four search usr
four all_fetch opt
four search opt

say "whoever asked, and by whatever name"
absent none.bin
absent none.bin
asked_is /none.bin 1
stop_mount
start_mount
absent none.bin
asked_is /none.bin 1

say "gone is absent, too; forbidden and broken are not remembered"
expect_errno ENOENT "$(at "$HTTP/status/410")"
expect_errno ENOENT "$(at "$HTTP/status/410")"
asked_is /status/410 1
expect_errno EACCES "$(at "$HTTP/status/403")"
expect_errno EACCES "$(at "$HTTP/status/403")"
asked_is /status/403 2

say "--refresh asks all the same, and what it finds, everybody finds"
cp "$WWW/a.bin" "$WWW/none.bin"
absent none.bin
fetchfs fetch --refresh "$HTTP/none.bin"
cmp "$WWW/a.bin" "$(at "$HTTP/none.bin")" || fail "not found after --refresh"
cmp "$WWW/a.bin" "$tree/none.bin" || fail "not found in the tree after --refresh"
stop_mount

say "for as long as configured"
printf '[fetch]\nnegative_ttl = 2s\n' >"$CONFIG"
start_mount
expect_errno ENOENT "$(at "$HTTP/later.bin")"
! cat "$tree/later2.bin" 2>/dev/null || fail "what is not there"
cp "$WWW/a.bin" "$WWW/later.bin"
cp "$WWW/a.bin" "$WWW/later2.bin"
found() {
	cmp -s "$WWW/a.bin" "$1"
}
wait_for 20 found "$(at "$HTTP/later.bin")" || fail "never seen"
wait_for 20 found "$tree/later2.bin" || fail "never seen in the tree"
stop_mount

say "never"
printf '[fetch]\nnegative_ttl = 0s\n' >"$CONFIG"
start_mount
expect_errno ENOENT "$(at "$HTTP/never.bin")"
expect_errno ENOENT "$(at "$HTTP/never.bin")"
expect_failure 1 'not found' "${fetchfs[@]}" fetch "$HTTP/never.bin"
asked_is /never.bin 3
! cat "$tree/never2.bin" 2>/dev/null || fail "what is not there"
! cat "$tree/never2.bin" 2>/dev/null || fail "what is not there"
asked_is /never2.bin 2
cp "$WWW/a.bin" "$WWW/never.bin"
cmp "$WWW/a.bin" "$(at "$HTTP/never.bin")" || fail "it is there now"
cmp "$WWW/a.bin" "$tree/never.bin" || fail "it is there now, in the tree"
settle_mount
stop_mount
no_debris

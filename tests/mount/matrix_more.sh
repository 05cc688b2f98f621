#!/bin/bash
# shellcheck disable=SC2153,SC2016,SC2012,SC2002 # scripts for other shells; ls and cat are what is tested
# fish and rclone on the natural tree, cold and warm, whatever parent paths answer.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/matrix.sh"
need_root
need_fuse
need_program jq fish rclone
export HOME=$WORK

fish_() {
	[ "$(fish "$TREE/org/repo/v1/hello")" = "hello, fish" ] || fail "a script"
	fetchfs fetch --executable "$ORIGIN/org/repo/v1/run"
	[ "$(fish -c '$argv[1]/org/repo/v1/run 1' "$TREE")" = "script 1" ] || fail "a program"
	fish -c 'cd $argv[1]; and cmp model $argv[2]' "$TREE/org/repo/v1" "$REAL/org/repo/v1/model" ||
		fail "cd"
	make_known org/repo/v1/sub/{y.bin,z}
	[ "$(fish -c 'complete -C "cat $argv[1]/org/repo/v1/sub/y"' "$TREE")" = \
		"$TREE/org/repo/v1/sub/y.bin" ] || fail "completion"
	[ "$(fish -c 'count $argv[1]/org/repo/v1/sub/*' "$TREE")" = 2 ] || fail "a pattern"
}

rclone_() {
	rm -rf "$WORK/copies"
	rclone copy "$TREE/org/repo/v1/model" "$WORK/copies" || fail "a file"
	cmp "$WORK/copies/model" "$REAL/org/repo/v1/model" || fail "model"
	make_known org/repo/v1/sub/{y.bin,z}
	rclone copy "$TREE/org/repo/v1/sub" "$WORK/copies/sub" || fail "a folder"
	diff -r "$REAL/org/repo/v1/sub" "$WORK/copies/sub" || fail "the copies"
	rclone check "$TREE/org/repo/v1/sub" "$WORK/copies/sub" 2>/dev/null || fail "check"
}

run_matrix fish_ rclone_

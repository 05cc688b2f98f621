#!/bin/bash
# shellcheck disable=SC2153,SC2016,SC2012,SC2002 # scripts for other shells; ls and cat are what is tested
# Programs that read and copy, on the natural tree, cold and warm, whatever parent paths answer.
. "$(dirname "$0")/../support/lib.sh"
. "$(dirname "$0")/../support/matrix.sh"
need_root
need_fuse
need_program jq curl python3 rsync tar

cat_() {
	cat "$TREE/org/repo/v1/x.tgz" | cmp - "$REAL/org/repo/v1/x.tgz" || fail "with a suffix"
	cat "$TREE/org/repo/v1/model" | cmp - "$REAL/org/repo/v1/model" || fail "without"
	! cat "$TREE/org/repo/v1/none" 2>/dev/null || fail "what is not there"
	cat "$TREE/org/repo/v1/sub/z" | cmp - "$REAL/org/repo/v1/sub/z" || fail "behind that"
}

sums() {
	local sum
	sum=$(sha256 "$REAL/org/repo/v1/model")
	echo "$sum  $TREE/org/repo/v1/model" | sha256sum -c --quiet || fail "-c"
	[ "$(cd "$TREE/org/repo/v1" && sha256 model)" = "$sum" ] || fail "from inside"
}

# What copies a folder sees what is known of it: the names are made known first.
cp_() {
	cp "$TREE/org/repo/v1/model" "$WORK/copy" || fail "cp of one"
	cmp "$WORK/copy" "$REAL/org/repo/v1/model" || fail "the copy"
	make_known org/repo/v1/sub/{y.bin,z}
	rm -rf "$WORK/copies"
	cp -r "$TREE/org/repo/v1/sub" "$WORK/copies" || fail "cp -r"
	diff -r "$REAL/org/repo/v1/sub" "$WORK/copies" || fail "the copies"
	cp -a "$TREE/org/repo/v1/sub/." "$WORK/copies" || fail "cp -a"
	chmod -R u+w "$WORK/copies"
}

install_() {
	install -D -m 755 "$TREE/org/repo/v1/run" "$WORK/bin/run" || fail "without a suffix"
	install -D -m 755 "$TREE/org/repo/v1/run.sh" "$WORK/bin/run.sh" || fail "with one"
	[ "$("$WORK/bin/run" a)$("$WORK/bin/run.sh" b)" = "script ascript b" ] || fail "they do not run"
}

tar_() {
	rm -rf "$WORK/unpacked" && mkdir "$WORK/unpacked"
	tar -C "$WORK/unpacked" -xf "$TREE/org/repo/v1/t.tar.gz" || fail "extract"
	diff -r "$REAL/org/repo/v1/sub" "$WORK/unpacked/sub" || fail "extracted"
	make_known org/repo/v1/sub/{y.bin,z}
	tar -C "$TREE/org/repo/v1" -cf "$WORK/made.tar" sub || fail "tar -C"
	tar -xOf "$WORK/made.tar" sub/z | cmp - "$REAL/org/repo/v1/sub/z" || fail "archived"
	tar -C "$TREE/org/repo" -cf "$WORK/made.tar" v1/model v1/x.tgz || fail "tar of files by name"
}

rsync_() {
	rm -rf "$WORK/synced"
	rsync -a "$TREE/org/repo/v1/model" "$TREE/org/repo/v1/x.tgz" "$WORK/synced/" || fail "files"
	cmp "$WORK/synced/model" "$REAL/org/repo/v1/model" || fail "model"
	make_known org/repo/v1/sub/{y.bin,z}
	rsync -a --checksum "$TREE/org/repo/v1/sub" "$WORK/synced/" || fail "a folder"
	diff -r "$REAL/org/repo/v1/sub" "$WORK/synced/sub" || fail "synced"
}

curl_() {
	curl -sS "file://$TREE/org/repo/v1/model" | cmp - "$REAL/org/repo/v1/model" || fail "file://"
	curl -sS -r 100-199 "file://$TREE/org/repo/v1/x.tgz" |
		cmp - <(tail -c +101 "$REAL/org/repo/v1/x.tgz" | head -c 100) || fail "a part"
}

twenty() {
	local pid readers=()
	for _ in {1..10}; do
		cmp "$REAL/org/repo/v1/model" "$TREE/org/repo/v1/model" & readers+=($!)
		cmp "$REAL/org/repo/v1/x.tgz" "$TREE/org/repo/v1/x.tgz" & readers+=($!)
	done
	children+=("${readers[@]}")
	for pid in "${readers[@]}"; do wait "$pid" || fail "one of twenty"; done
	quiet_origin
	[ "$(origin_requests GET /org/repo/v1/model)" -eq 1 ] || fail "model is fetched more than once"
}

run_matrix twenty cat_ sums cp_ install_ tar_ rsync_ curl_

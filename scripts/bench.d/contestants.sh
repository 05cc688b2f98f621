# shellcheck shell=bash disable=SC2034,SC2154 # variables are those of scripts/bench
# Who is measured. A contestant NAME is a function run_NAME, whose time is measured; before_NAME
# and after_NAME, where there are such, are called around each run and are not. All of them work on
# the server that on() has chosen.

declare -A label

fetchfs() {
	"$program" -q --cache "$work/cache" "$@"
}

# Files are written as they come: reserving their space first is aria2c's default.
aria2() {
	aria2c --no-conf -q --file-allocation=none -d "$work/out" "$@"
}

rclone_() {
	rclone --config /dev/null "$@"
}

clean_out() { discard "$work/out"; discard "$work/curl"; mkdir "$work/out" "$work/curl"; sync; }
clean_cache() { discard "$work/cache"; sync; }

# expect FOLDER FILES BYTES: a run that left less is no result
expect() {
	local count size
	count=$(find "$1" -type f | wc -l)
	size=$(find "$1" -type f -printf '%s\n' | awk '{ sum += $1 } END { printf "%.0f", sum }')
	[ "$count $size" = "$2 $3" ] || die "$1 has $count files and $size bytes instead of $2 and $3"
}

expect_large() { expect "$work/out" 1 $((large << 20)); }
expect_medium() { expect "$work/out" 1 $((medium << 20)); }
expect_small() { expect "$1" "$files" $((files * 4096)); }

# ---- one large file, fetched ----

label[curl_large]="curl -o"
before_curl_large() { clean_out; }
run_curl_large() { curl -sf -o "$work/out/large.bin" "$http/large.bin"; }
after_curl_large() { expect_large; }

label[fetch_large]="fetchfs fetch"
before_fetch_large() { clean_cache; }
run_fetch_large() { fetchfs fetch "$http/large.bin"; }

label[aria2_large]="aria2c"
before_aria2_large() { clean_out; }
run_aria2_large() { aria2 "$http/large.bin"; }
after_aria2_large() { expect_large; }

label[aria2_large_8]="aria2c -x8 -s8"
before_aria2_large_8() { clean_out; }
run_aria2_large_8() { aria2 -x8 -s8 "$http/large.bin"; }
after_aria2_large_8() { expect_large; }

label[rclone_large]="rclone copyurl"
before_rclone_large() { clean_out; }
run_rclone_large() { rclone_ copyurl "$http/large.bin" "$work/out/large.bin"; }
after_rclone_large() { expect_large; }

# ---- one file from a server that gives little to a connection ----

label[curl_medium]="curl -o"
before_curl_medium() { clean_out; }
run_curl_medium() { curl -sf -o "$work/out/medium.bin" "$http/medium/medium.bin"; }
after_curl_medium() { expect_medium; }

label[fetch_medium]="fetchfs fetch"
before_fetch_medium() { clean_cache; }
run_fetch_medium() { fetchfs fetch "$http/medium/medium.bin"; }

label[aria2_medium]="aria2c -x1"
before_aria2_medium() { clean_out; }
run_aria2_medium() { aria2 -x1 "$http/medium/medium.bin"; }
after_aria2_medium() { expect_medium; }

# By default it makes no parts of less than 20 MiB.
label[aria2_medium_8]="aria2c -x8 -s8 -k1M"
before_aria2_medium_8() { clean_out; }
run_aria2_medium_8() { aria2 -x8 -s8 -k1M "$http/medium/medium.bin"; }
after_aria2_medium_8() { expect_medium; }

label[rclone_medium]="rclone copyto, 8 streams"
before_rclone_medium() { clean_out; }
run_rclone_medium() {
	rclone_ copyto :http:medium.bin "$work/out/medium.bin" --http-url "$http/medium/" \
		--multi-thread-cutoff 1M --multi-thread-streams 8
}
after_rclone_medium() { expect_medium; }

# ---- many small files, fetched ----

label[curl_small]="curl -Z"
before_curl_small() { clean_out; }
run_curl_small() { curl -sfZ --parallel-immediate --parallel-max 50 -K "$lists/curl"; }
after_curl_small() { expect_small "$work/curl"; }

label[fetch_small]="fetchfs fetch -i"
before_fetch_small() { clean_cache; }
run_fetch_small() { fetchfs fetch -i "$lists/uris"; }

label[aria2_small]="aria2c -j 32 -i"
before_aria2_small() { clean_out; }
run_aria2_small() { aria2 -j 32 -i "$lists/uris"; }
after_aria2_small() { expect_small "$work/out"; }

# With the names given and their sizes not asked for, a file is one request.
label[rclone_small]="rclone copy, 32 transfers"
before_rclone_small() { clean_out; }
run_rclone_small() {
	rclone_ copy :http: "$work/out" --http-url "$http/small/" --http-no-head \
		--files-from "$work/names" --no-traverse --transfers 32 --checkers 32
}
after_rclone_small() { expect_small "$work/out"; }

# ---- one large file, through the mounts ----

label[mount_cold_large]="fetchfs mount"
before_mount_cold_large() { mount_fetchfs; }
run_mount_cold_large() { dd if="$(tree)/large.bin" bs=1M of=/dev/null; }

label[rclone_cold_large]="rclone mount"
before_rclone_cold_large() { mount_rclone; }
run_rclone_cold_large() { dd if="$work/rclone/large.bin" bs=1M of=/dev/null; }

# ---- many small files, through the mounts ----

# cat_small DIR: all files, by name, one after another
cat_small() { (cd "$1" && xargs -a "$work/names" cat); }

label[curl_each]="curl, one connection"
before_curl_each() { clean_out; }
run_curl_each() { curl -sf -K "$lists/curl"; }
after_curl_each() { expect_small "$work/curl"; }

label[mount_cold_small]="fetchfs mount, cat"
before_mount_cold_small() { mount_fetchfs; }
run_mount_cold_small() { cat_small "$(tree)/small"; }

label[rclone_cold_small]="rclone mount, cat"
before_rclone_cold_small() { mount_rclone; }
run_rclone_cold_small() { cat_small "$work/rclone/small"; }

# ---- a little of a large file, cold. What goes on behind the answer ends with the mount ----

far() { echo $(((large * 900 / 1024) << 20)); }
far_read() { dd if="$1" bs=4096 iflag=skip_bytes skip="$(far)" count=1 of=/dev/null; }

label[curl_far]="curl -r"
run_curl_far() { curl -sf -r "$(far)-$(($(far) + 4095))" -o /dev/null "$http/far/large.bin"; }

label[mount_far]="fetchfs mount"
before_mount_far() { mount_fetchfs; }
run_mount_far() { far_read "$(tree)/far/large.bin"; }
after_mount_far() { unmount_ "$work/fetchfs"; }

label[rclone_far]="rclone mount"
before_rclone_far() { mount_rclone /far/; }
run_rclone_far() { far_read "$work/rclone/large.bin"; }
after_rclone_far() { unmount_ "$work/rclone"; }

# The end of the archive has its directory.
label[curl_zip]="curl -r, the last 256 KiB"
run_curl_zip() { curl -sf -r -262144 -o /dev/null "$http/zip/large.zip"; }

label[mount_zip]="fetchfs mount"
before_mount_zip() { mount_fetchfs; }
run_mount_zip() { unzip -l "$(tree)/zip/large.zip"; }
after_mount_zip() { unmount_ "$work/fetchfs"; }

label[rclone_zip]="rclone mount"
before_rclone_zip() { mount_rclone /zip/; }
run_rclone_zip() { unzip -l "$work/rclone/large.zip"; }
after_rclone_zip() { unmount_ "$work/rclone"; }

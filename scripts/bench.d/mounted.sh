# shellcheck shell=bash disable=SC2034,SC2154 # variables are those of scripts/bench
# Mounts side by side, warm: what a program does in a folder, in the files themselves and through
# each of the mounts. A contestant of such a row is ACTION_PLACE.

declare -A place # of each PLACE, the folder that has the server's files

packages_mounted=(httpdirfs fio)
many=10000 # names in one folder

readers=4

mount_places() {
	local cache=$work/httpdirfs-cache
	place[native]=$work/www
	mount_fetchfs
	place[fetchfs]=$(tree)
	mkdir -p "$work/fallback"
	fetchfs mount -o nopassthrough "$work/fallback"
	mounts+=("$work/fallback")
	place[fallback]=$work/fallback/http/${http#http://}
	mount_rclone
	place[rclone]=$work/rclone
	mkdir -p "$work/httpdirfs" "$cache"
	# its own check takes nginx for a server without ranges
	serve "$work/httpdirfs" httpdirfs -f --no-range-check --cache --cache-location "$cache" \
		"$http/" "$work/httpdirfs"
	place[httpdirfs]=$work/httpdirfs
	[ ${#s3fs[@]} -eq 0 ] || mount_s3fs
	place[s3fs]=$work/s3fs
}

unmount_places() {
	local name
	for name in fetchfs fallback rclone httpdirfs s3fs; do
		unmount_ "$work/$name"
	done
}

declare -A place_label=(
	[native]="the files themselves" [fetchfs]="fetchfs mount"
	[fallback]="fetchfs mount -o nopassthrough" [rclone]="rclone mount" [httpdirfs]=httpdirfs
	[s3fs]=s3fs
)

# places ACTION PLACE…: makes contestants of them
places() {
	local name
	for name in "${@:2}"; do
		label[$1_$name]=${place_label[$name]}
		eval "run_$1_$name() { do_$1 ${place[$name]@Q}; }"
	done
}

# row_of_places TITLE BYTES ACTION [PLACE…]. What is not in memory yet is after a first time.
row_of_places() {
	local name contestants where=("${@:4}")
	[ ${#where[@]} -gt 0 ] || where=(native fetchfs fallback rclone "${s3fs[@]}")
	for name in "${where[@]}"; do
		"do_$3" "${place[$name]}" >/dev/null 2>"$work/stderr" ||
			{ cat "$work/stderr" >&2; die "failed: do_$3 ${place[$name]}"; }
	done
	places "$3" "${where[@]}"
	contestants=("${where[@]/#/$3_}")
	row "$1" "$2" "${contestants[@]}"
}

fio_() {
	fio --name=bench --readonly --filename="${1//:/\\:}/large.bin" --size="${large}M" --invalidate=0 \
		--randseed=1 --output-format=terse "${@:2}"
}

do_sequential() { dd if="$1/large.bin" bs=1M of=/dev/null; }
do_random() { fio_ "$1" --rw=randread --bs=4k --ioengine=psync --io_size=256M; }
do_mapped() { fio_ "$1" --rw=read --bs=4k --ioengine=mmap --io_size=200M; }
do_small() { cat_small "$1/small"; }

do_readers() {
	local pid own=()
	for ((i = 0; i < readers; i++)); do
		do_sequential "$1" &
		own+=($!)
	done
	for pid in "${own[@]}"; do wait "$pid" || return; done
}

do_list() { ls -l "$1/many"; }
do_find() { find "$1/many" -size +1000c; }
do_archive() { tar -c -C "$1" many | cat; }

# By one process: starting them would be most of it.
do_stat() {
	python3 - "$1/many" $many <<-'END'
		import os, sys
		names = [f"{sys.argv[1]}/{n}.bin" for n in range(int(sys.argv[2]))]
		for _ in range(10):
		    for name in names:
		        os.stat(name)
	END
}

make_many() {
	local i
	[ ! -e "$work/www/many" ] || return 0
	mkdir "$work/www/many"
	for ((i = 0; i < many; i++)); do
		echo $i >"$work/www/many/$i.bin"
		echo "$http/many/$i.bin"
	done >"$work/lists/many"
}

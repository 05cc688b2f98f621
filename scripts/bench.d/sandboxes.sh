# shellcheck shell=bash disable=SC2004,SC2034,SC2154 # variables are those of scripts/bench
# Sandboxes: what is cached into many directories, a process for each, as a scheduler does it. All of
# it, the cache too, is on an XFS of its own in a file, where blocks can be shared and df tells what
# is used by whom.

packages_sandboxes=(xfsprogs jq)
artifacts=10      # of each sandbox
artifact=256      # KiB
archive_bytes=500 # MiB
doubles=20        # sandboxes with the one large artifact
few=5             # where each sandbox takes long so many are made, and the time is scaled

declare -A said # the label of a contestant, before what it used is known

prepare_() {
	"$program" -q --cache "$xfs/cache" --config "$work/sandboxes.conf" "$@"
}

make_artifacts() {
	local i
	mkdir -p "$work/www/sandboxes"
	for ((i = 0; i < artifacts; i++)); do
		head -c "${artifact}K" /dev/urandom >"$work/www/sandboxes/$i.bin"
	done
	cat "$work/www/large.bin" "$work/www/large.bin" >"$work/www/sandboxes/double"
	python3 - "$work/www/sandboxes/archive.tar" "$archive_files" $((archive_bytes << 20)) <<-'END'
		import io, os, sys, tarfile
		path, count, total = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
		with tarfile.open(path, "w") as tar:
		    for n in range(count):
		        data = os.urandom(total // count)
		        member = tarfile.TarInfo(f"app/{n // 100}/{n}")
		        member.size, member.mode = len(data), 0o644
		        tar.addfile(member, io.BytesIO(data))
	END
}

start_xfs() {
	xfs=$work/xfs
	boxes=$xfs/boxes
	mkdir "$xfs"
	truncate -s $((16 + large / 128 + archive_bytes / 32))G "$work/xfs.image"
	mkfs.xfs -q "$work/xfs.image"
	mount -o loop,discard "$work/xfs.image" "$xfs"
	mounts+=("$xfs")
	cat >"$work/sandboxes.conf" <<-END
		[policy]
		allow = $http/
		[fetch]
		ttl = 7d
		[cache]
		size = 12G
	END
	make_artifacts
	uris=()
	for ((i = 0; i < artifacts; i++)); do uris+=("$http/sandboxes/$i.bin"); done
	prepare_ fetch "${uris[@]}" "$http/sandboxes/double" "$http/sandboxes/archive.tar"
	cp -r "$work/www/sandboxes" "$xfs/origin"
}

stop_xfs() {
	local i
	for ((i = 0; i < 100; i++)); do
		! umount "$xfs" 2>/dev/null || return 0
		sleep 0.1
	done
	die "$xfs is in use"
}

used_on_xfs() {
	sync -f "$xfs"
	df --output=used -BM "$xfs" | tail -n 1 | tr -dc 0-9
}

# ---- a directory for each ----

# What was removed last goes on being removed for a while after rm has ended, and its blocks being
# discarded: of 150,000 files for many seconds. Nobody shall pay for who came before.
await_disk() {
	local device now before=
	device=$(basename "$(findmnt -n -o SOURCE "$xfs")")
	sync -f "$xfs"
	while now=$(<"/sys/class/block/$device/stat") && [ "$now" != "$before" ]; do
		before=$now
		sleep 1
	done
}

make_boxes() {
	local i
	await_disk
	mkdir "$boxes"
	for ((i = 0; i < $1; i++)); do
		mkdir "$boxes/$i"
		chown nobody "$boxes/$i"
	done
	used=$(used_on_xfs)
}

for_boxes() {
	local i
	for ((i = 0; i < $1; i++)); do
		"${@:2}" "$boxes/$i" || return
	done
}

# What a run left must be whole; then it goes.
finish_boxes() {
	local name=$1 count=$2 files=$3 i
	used=$((($(used_on_xfs) - used) * scale[$name]))
	label[$name]="${said[$name]}; $used MiB"
	for i in 0 $((count - 1)); do
		[ "$(find "$boxes/$i" -xtype f | wc -l)" -eq "$files" ] || die "$name: not all is in $boxes/$i"
	done
	for ((i = 0; i < count; i++)); do prepare_ release "$boxes/$i"; done
	rm -rf --one-file-system "$boxes"
}

# in_boxes NAME COUNT TIMES FILES LABEL COMMAND…: a contestant that gives each of COUNT directories
# to COMMAND. Its time counts so many TIMES. FILES is how many there are in each then.
in_boxes() {
	said[$1]=$5
	scale[$1]=$3
	eval "before_$1() { make_boxes $2; }
		run_$1() { for_boxes $2 ${*:6}; }
		after_$1() { finish_boxes $1 $2 $4; }"
}

cp_ten() { cp --reflink="$1" -t "$2" "${own[@]}"; }
cp_double() { cp --reflink="$1" -t "$2" "$xfs/origin/double"; }
untar() { tar -xf "$xfs/origin/archive.tar" -C "$1"; }
prepare_ten() { prepare_ prepare --user nobody --method "$1" "$2" "${uris[@]}"; }
prepare_double() { prepare_ prepare --user nobody --method "$1" "$2" "$http/sandboxes/double"; }
prepare_archive() {
	prepare_ prepare --user nobody --extract --method "$1" "$2" "$http/sandboxes/archive.tar"
}

# contestants_of PREFIX COUNT TIMES FILES: all methods but symlink
contestants_of() {
	local method
	for method in bind hardlink reflink copy; do
		in_boxes "$1_$method" "$2" "$3" "$4" "fetchfs prepare --method $method" "prepare_$1 $method"
	done
}

prepare_links() {
	prepare_ prepare --user nobody --method symlink --mount "$work/links" "$1" "${@:2}"
}
link_ten() { prepare_links "$1" "${uris[@]}"; }
link_double() { prepare_links "$1" "$http/sandboxes/double"; }

start_links() {
	mkdir -p "$work/links"
	prepare_ mount "$work/links"
	mounts+=("$work/links")
}

# links_of PREFIX COUNT FILES: method symlink, which leads into a mount. It is there for these only,
# and before their time begins.
links_of() {
	in_boxes "$1_symlink" "$2" 1 "$3" "fetchfs prepare --method symlink" "link_$1"
	eval "before_$1_symlink() { start_links; make_boxes $2; }
		after_$1_symlink() { finish_boxes $1_symlink $2 $3; unmount_ $work/links; }"
}

measure_sandboxes() {
	local rounds=$((rounds < 3 ? rounds : 3))
	local own=() some=$((sandboxes / 10 > few ? few : (sandboxes + 9) / 10)) many times
	many=$(((sandboxes + 9) / 10))
	times=$((many / some))
	on fast
	start_xfs
	own=("$xfs/origin/"*.bin)
	in_boxes ten_cp "$sandboxes" 1 $artifacts "cp --reflink=never" cp_ten never
	in_boxes ten_cp_reflink "$sandboxes" 1 $artifacts "cp --reflink=always" cp_ten always
	contestants_of ten "$sandboxes" 1 $artifacts
	links_of ten "$sandboxes" $artifacts
	row "$sandboxes sandboxes of $artifacts cached artifacts of $artifact KiB; and what they occupy" 0 \
		ten_cp ten_cp_reflink ten_bind ten_hardlink ten_reflink ten_copy ten_symlink
	in_boxes double_cp 1 $doubles 1 "cp --reflink=never (1, × $doubles)" cp_double never
	in_boxes double_cp_reflink $doubles 1 1 "cp --reflink=always" cp_double always
	contestants_of double $doubles 1 1
	links_of double $doubles 1
	row "one artifact of $(size $((2 * large))) in $doubles sandboxes" 0 \
		double_cp double_cp_reflink double_bind double_hardlink double_reflink double_copy double_symlink
	measure_archive "$many" "$some" "$times"
	stop_xfs
}

# measure_archive SANDBOXES SOME TIMES
measure_archive() {
	local first title="$archive_files files of a .tar of $archive_bytes MiB in $1 sandboxes"
	in_boxes archive_tar "$2" "$3" "$archive_files" "tar x ($2, × $3)" untar
	contestants_of archive "$2" "$3" "$archive_files"
	for first in hardlink reflink copy; do
		said[archive_$first]+=" ($2, × $3)"
	done
	in_boxes archive_bind "$1" 1 "$archive_files" "fetchfs prepare --method bind" prepare_archive bind
	# once for all of them
	make_boxes 1
	first=$(microseconds prepare_archive bind "$boxes/0")
	said[archive_bind]+=", after unpacking it once in $(awk -v t="$first" 'BEGIN { printf "%.1f s", t / 1e6 }')"
	finish_boxes archive_bind 1 "$archive_files"
	row "$title" 0 archive_tar archive_bind
	# these have the tree looked through before each hand-out once its files have had other names
	row "the same, linked or copied" 0 archive_tar archive_hardlink archive_reflink archive_copy
}

# shellcheck shell=bash disable=SC2034,SC2154 # variables are those of scripts/bench
# Programs that walk over a tree of many small files, in the files themselves and through the mounts; and
# what many readers who wait for their origin cost others.

packages_walks=(git)
folders=20

# The small files in some folders, and a repository in which they are committed from elsewhere: its index
# knows no file of the tree by its times and its inode, so that git has to read them all.
make_tree() {
	local name i=0 path
	[ ! -e "$work/www/tree" ] || return 0
	for ((i = 0; i < folders; i++)); do mkdir -p "$work/www/tree/$i"; done
	while read -r name; do
		path=tree/$((i++ % folders))/$name
		ln "$work/www/small/$name" "$work/www/$path"
		echo "$http/$path"
	done <"$work/names" >"$work/lists/tree"
	cp -r "$work/www/tree" "$work/committed"
	git init -q --bare "$work/tree.git"
	git_ "$work/committed" config core.fileMode false
	git_ "$work/committed" add -A
	git_ "$work/committed" commit -qm "all files"
}

# git_ FOLDER ARGUMENT…: with that work tree, and with nobody's settings
git_() {
	GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_NOSYSTEM=1 GIT_OPTIONAL_LOCKS=0 \
		git --git-dir="$work/tree.git" --work-tree="$1" -c core.bare=false -c user.name=bench \
		-c user.email=bench@localhost "${@:2}"
}

do_git() { [ -z "$(git_ "$1/tree" status --porcelain)" ]; }
do_tree() { tar -c -C "$1" tree | cat; }

# ---- beside readers who wait ----

waiting=1000
crowd=
crowds=0

place_label[crowded]="the same, $waiting readers waiting"

waiting_are() {
	[ "$(sed -n 's/^fetchfs_waiting //p' "$work/fetchfs/.fetchfs/metrics")" -eq "$1" ]
}

# Each crowd has files of its own, of which a server has given a thousand bytes.
gather_crowd() {
	local i paths=() folder=$work/fetchfs/http/${url[distant]#http://}/stall/1000
	crowds=$((crowds + 1))
	for i in {1..20}; do paths+=("$folder/medium/medium.bin?$crowds-$i"); done
	"$crowd_program" $waiting "${paths[@]}" &
	crowd=$!
	pids+=("$crowd")
	wait_until waiting_are $waiting
}

dismiss_crowd() {
	waiting_are $waiting || die "not all of the crowd waited"
	stop TERM "$crowd"
	wait_until waiting_are 0
}

before_small_crowded() { gather_crowd; }
after_small_crowded() { dismiss_crowd; }
before_looks_crowded() { gather_crowd; }
after_looks_crowded() { dismiss_crowd; }

do_looks() {
	local i
	for i in {1..50}; do
		df "$1" && ls -l "$1" && stat "$work/fetchfs" && cat "$work/fetchfs/.fetchfs/status"
	done
}

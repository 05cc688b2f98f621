# shellcheck shell=bash disable=SC2154 # variables are those of scripts/bench
# How a row is measured and written.

microseconds() {
	local start=${EPOCHREALTIME/[.,]/}
	"$@" >/dev/null 2>"$work/stderr" || { cat "$work/stderr" >&2; die "failed: $*"; }
	echo $((${EPOCHREALTIME/[.,]/} - start))
}

declare -A scale # of contestants that do only a part: their time counts so many times

# hook before|after NAME: calls before_NAME, where there is one
hook() {
	! declare -F "$1_$2" >/dev/null || "$1_$2"
}

# row TITLE BYTES PEER CONTESTANT…: BYTES (0: no rate) is what one run reads.
row() {
	local title=$1 bytes=$2 name round peer time
	shift 2
	note "$title"
	rm -f "$work"/times.*
	for ((round = 0; round < rounds; round++)); do
		for name; do
			hook before "$name"
			time=$(microseconds "run_$name")
			echo $((time * ${scale[$name]:-1})) >>"$work/times.$name"
			hook after "$name"
		done
	done
	peer=$(median "$1")
	for name; do
		report "$title" "$name" "$bytes" "$peer"
		title=
	done
}

median() {
	sort -n "$work/times.$1" | sed -n "$(((rounds + 1) / 2))p"
}

# One line of the table.
report() {
	local sorted
	mapfile -t sorted < <(sort -n "$work/times.$2")
	awk -v title="$1" -v name="${label[$2]}" -v bytes="$3" -v peer="$4" \
		-v t="$(median "$2")" -v low="${sorted[0]}" -v high="${sorted[-1]}" 'BEGIN {
		rate = bytes ? sprintf("%.0f MB/s", bytes / t) : ""
		printf "| %s | %s | %.3f s | %.3f–%.3f | %s | %.2f |\n",
			title, name, t / 1e6, low / 1e6, high / 1e6, rate, t / peer
	}' | tee -a "$work/table"
}

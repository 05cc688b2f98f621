# shellcheck shell=bash disable=SC2034,SC2154 # variables are those of scripts/bench
# The table as pictures: docs/mounts.svg and docs/downloads.svg. Each bar is a ratio of the table, on
# a scale where the first of its row, what all are compared with, is 1.

packages_chart=(gnuplot-nox)

# chart FILE TITLE COLUMN=LABEL…: of the lines of $work/chart, of which the first column is the name
chart() {
	local file=$1 title=$2 series plots=
	shift 2
	for series; do
		plots+="${plots:+, }'$work/chart' using ${series%%=*}:xtic(1) title '${series#*=}'"
	done
	gnuplot <<-END
		set terminal svg size 900,460 font 'sans-serif,11' background 'white'
		set output '$file'
		set title '$title'
		set style data histogram
		set style histogram clustered gap 2
		set style fill solid 0.8 noborder
		set datafile separator '\t'
		set datafile missing '-'
		set logscale y
		set ylabel 'time, as a multiple'
		set yrange [0.1:*]
		set grid ytics
		set key top left
		set xtics rotate by -20
		set arrow from graph 0, first 1 to graph 1, first 1 nohead
		plot $plots
	END
}

# columns WHO…: a line for each row of the table, with the ratios of these contestants
columns() {
	awk -F' *[|] *' -v OFS='\t' -v who="$(printf '%s\t' "$@")" '
		function flush(  i, line, some) {
			line = title
			for (i = 1; i < n; i++) {
				some = some || names[i] in ratio
				line = line OFS (names[i] in ratio ? ratio[names[i]] : "-")
			}
			if (some) print line
			delete ratio
		}
		BEGIN { n = split(who, names, "\t") }
		$2 != "" { if (title != "") flush(); title = $2 }
		{ ratio[$3] = $7 }
		END { flush() }' "$work/table"
}

write_charts() {
	columns "fetchfs mount" "fetchfs mount -o nopassthrough" "rclone mount" httpdirfs s3fs |
		grep -v cold >"$work/chart"
	chart "$source/docs/mounts.svg" "warm, through the mounts: the files themselves are 1" \
		2="fetchfs mount" 3="without passthrough" 4="rclone mount" 5=httpdirfs 6=s3fs
	# one column each, whatever the contestant is called in the row
	columns "fetchfs fetch" "fetchfs fetch -i" "fetchfs fetch" \
		aria2c "aria2c -j 32 -i" "aria2c -x8 -s8 -k1M" \
		"rclone copyurl" "rclone copy, 32 transfers" "rclone copyto, 8 streams" |
		awk -F'\t' -v OFS='\t' 'function one(n, i) {
			for (i = n; i < n + 3; i++) if ($i != "-") return $i
			return "-"
		}
		{ print $1, one(2), one(5), one(8) }' >"$work/chart"
	chart "$source/docs/downloads.svg" "fetched: curl is 1" \
		2="fetchfs fetch" 3=aria2c 4=rclone
	note "written to docs/mounts.svg and docs/downloads.svg"
}

# shellcheck shell=bash
# What tests of unpacking share: after lib.sh.
export LC_ALL=C LANG=C

opentree=$FETCHFS_BUILD/tests/support/opentree
a=$WORK/a
mkdir "$a"

# tree ARCHIVE [KIND]: prints its folder
tree() {
	local said
	said=$("$opentree" "$CACHE" "$CONFIG" "$1") || fail "${1##*/}: $said"
	[ "${said%% *}" = "${2-archive}" ] || fail "${1##*/}: $said"
	echo "${said#* }"
}

# refused ARCHIVE REGEX
refused() {
	local said
	! said=$("$opentree" "$CACHE" "$CONFIG" "$1") || fail "${1##*/}: $said"
	grep -Eq "^$2" <<<"$said" || fail "${1##*/}: not /$2/: $said"
}

no_leftovers() {
	local left=("$CACHE"/trees/.*.*)
	[ ${#left[@]} -eq 0 ] || fail "left in trees: ${left[*]}"
	fetchfs status --json | jq -e '.reserved == 0' >/dev/null || fail "something is reserved"
}

# shellcheck shell=bash
# Completion of fetchfs(1) for bash. The program itself knows what fits.

_fetchfs() {
	local line=${COMP_LINE:0:COMP_POINT} cur before offer
	local -a words

	COMPREPLY=()
	# words as the shell has them, colons and all
	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=('')
	cur=${words[-1]}
	# readline splits words at these, too, and what it has before the last one is not repeated
	before=${cur%"${cur##*[:=]}"}
	while IFS= read -r offer; do
		case $offer in
		:files | :folders)
			compopt -o filenames
			[[ $offer == :files ]] && offer=-f || offer=-d
			while IFS= read -r offer; do
				COMPREPLY+=("$offer")
			done < <(compgen "$offer" -- "${cur#"$before"}")
			;;
		*)
			offer=${offer%%$'\t'*}
			COMPREPLY+=("${offer#"$before"}")
			;;
		esac
	done < <(printf '%s\0' "${words[@]:1}" | timeout 2 "$1" __complete 2>/dev/null)
}

complete -F _fetchfs fetchfs

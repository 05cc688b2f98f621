# shellcheck shell=bash
# Completion of fetchfs(1) for bash. URIs are completed from what the cache knows.

_fetchfs_uris() {
	# bash splits words at colons; what readline has before the last one is not repeated
	local word=$1 before=${1%"${1##*:}"} uri
	while IFS= read -r uri; do
		COMPREPLY+=("${uri#"$before"}")
	done < <(timeout 2 fetchfs "${global[@]}" ls "$word" 2>/dev/null | head -n 200)
}

_fetchfs_files() {
	local path
	compopt -o filenames
	while IFS= read -r path; do
		COMPREPLY+=("$path")
	done < <(compgen "$1" -- "$cur")
}

_fetchfs_words() {
	local word
	while IFS= read -r word; do
		COMPREPLY+=("$word")
	done < <(compgen -W "$1" -- "$cur")
}

_fetchfs() {
	local line=${COMP_LINE:0:COMP_POINT} cur prev command='' seen=0 i
	local commands='mount unmount fetch cat get path ls stat status log check config evict pin unpin export import verify prepare release sandboxes gc oci-hook'
	local common='--cache --config --quiet --verbose --help --usage --version'
	local -a words global=()

	COMPREPLY=()
	# words as the shell has them, colons and all
	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=('')
	cur=${words[-1]}
	prev=${words[-2]-}
	for ((i = 1; i < ${#words[@]} - 1; i++)); do
		case ${words[i]} in
		--cache | --config) global+=("${words[i]}" "${words[++i]}") ;;
		--spec | --method | --user | --mount | --digest | --digests | --input | --jobs | --to | \
			--options | --lines | --timeout | -i | -j | -n | -o) ((i++)) ;;
		-*) ;;
		*) if [[ $command ]]; then ((++seen)); else command=${words[i]}; fi ;;
		esac
	done

	case $prev in
	--cache | --mount) _fetchfs_files -d && return ;;
	--config | --spec | --input | -i) _fetchfs_files -f && return ;;
	--method) _fetchfs_words 'auto bind reflink hardlink symlink copy' && return ;;
	--user) _fetchfs_words "$(compgen -u)" && return ;;
	--digests) _fetchfs_uris "$cur" && return ;;
	--digest | --jobs | --to | -j | -n | -o | --options | --lines | --timeout) return ;;
	esac

	case $command:$cur in
	:-*) _fetchfs_words "$common" ;;
	:*) _fetchfs_words "$commands" ;;
	mount:-*) _fetchfs_words "--foreground --options $common" ;;
	unmount:-*) _fetchfs_words "--lazy $common" ;;
	fetch:-*)
		_fetchfs_words "--input --jobs --digest --digests --refresh --executable --pin --mount --json $common"
		;;
	cat:-* | get:-*) _fetchfs_words "--mount --digest --refresh $common" ;;
	path:-*) _fetchfs_words "--mount $common" ;;
	ls:-*) _fetchfs_words "--long --json --mount $common" ;;
	stat:-* | status:-*) _fetchfs_words "--json --mount $common" ;;
	log:-*) _fetchfs_words "--follow --lines --json --mount $common" ;;
	config:-*) _fetchfs_words "--user --json $common" ;;
	evict:-*) _fetchfs_words "--all --to --json --mount $common" ;;
	prepare:-*) _fetchfs_words "--spec --digests --method --user --mount --timeout --keep-going --confined --extract --lazy --json $common" ;;
	oci-hook:-*) _fetchfs_words "--user $common" ;;
	release:-*) _fetchfs_words "--mount $common" ;;
	check:-*) _fetchfs_words "--json $common" ;;
	sandboxes:-* | gc:-* | pin:-* | unpin:-* | export:-*) _fetchfs_words "--json --mount $common" ;;
	import:-*) _fetchfs_words "--pin --json --mount $common" ;;
	verify:-*) _fetchfs_words "--full --repair --jobs --json --mount $common" ;;
	mount:* | unmount:* | release:*) _fetchfs_files -d ;;
	import:*) _fetchfs_files -f ;;
	export:*) if ((seen)); then _fetchfs_uris "$cur"; else _fetchfs_files -f; fi ;;
	oci-hook:*) _fetchfs_words 'createRuntime createContainer poststop' ;;
	prepare:*) if ((seen)); then _fetchfs_uris "$cur"; else _fetchfs_files -d; fi ;;
	get:*) if ((seen)); then _fetchfs_files -f; else _fetchfs_uris "$cur"; fi ;;
	fetch:* | cat:* | path:* | ls:* | stat:* | config:* | evict:* | pin:* | unpin:*) _fetchfs_uris "$cur" ;;
	esac
}

complete -F _fetchfs fetchfs

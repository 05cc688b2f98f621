#!/bin/bash
# What the tabulator offers: by the program itself, and by way of bash, zsh and fish.
. "$(dirname "$0")/../support/lib.sh"
need_program zsh fish

mkdir "$WORK/bin" "$WORK/zsh" "$WORK/home"
export HOME=$WORK/home
unset XDG_CONFIG_HOME XDG_DATA_HOME XDG_CACHE_HOME
ln -s "$FETCHFS" "$WORK/bin/fetchfs"
PATH=$WORK/bin:$PATH
echo x >"$WWW/a file.txt"
echo x >"$WWW/other.txt"
uri=file://$WWW/other.txt
fetchfs fetch -q "$uri" "file://$WWW/a%20file.txt"
export FETCHFS_CACHE=$CACHE FETCHFS_CONFIG=$CONFIG

# offers TEXT WORD…: TEXT is among what is offered for these words
offers() {
	local text=$1
	shift
	printf '%s\0' "$@" | "$FETCHFS" __complete | cut -f 1 >"$WORK/offers"
	grep -Fqx -e "$text" "$WORK/offers" || fail "$*: no $text: $(<"$WORK/offers")"
}

# nothing WORD…: nothing is offered for these words
nothing() {
	printf '%s\0' "$@" | "$FETCHFS" __complete >"$WORK/offers" || :
	[ ! -s "$WORK/offers" ] || fail "$*: $(<"$WORK/offers")"
}

say "commands and options"
offers release rel
offers mount ''
offers --cache --ca
offers --long ls --lo
offers --help ls --
offers --quiet ls -
nothing ls x--
offers --all --cache "$WORK/x" evict --al
nothing frobnicate ''
nothing fetch -- --
for command in $("$FETCHFS" --help | sed -n '/^Commands:/,/^$/s/^  \([a-z-]*\) .*/\1/p'); do
	offers "$command" "${command:0:2}"
	for option in $("$FETCHFS" "$command" --help | grep -Eo -- '^ +(-., +)?--[a-z-]+' |
		grep -Eo -- '--[a-z-]+'); do
		offers "$option" "$command" "${option%?}"
	done
done

say "arguments, by what they are"
offers :folders mount ''
offers :folders prepare --json ''
offers "$uri" prepare "$WORK" f
offers "$uri" fetch "$uri" f
offers "$uri" ls --config "$CONFIG" "${uri%/*}/o"
nothing ls "$uri" f
nothing ls "--cache=$WORK/none" f
mkdir "$WORK/none"
chmod 755 "$WORK/none"
nothing ls "--cache=$WORK/none" f
FETCHFS_CACHE='' nothing ls f
[ -z "$(find "$WORK/none" "$HOME" -mindepth 1)" ] || fail "made: $(find "$WORK/none" "$HOME")"
offers :files export ''
offers "$uri" export "$WORK/x" f
offers :files get "$uri" ''
offers :files fetch -i ''
nothing fetch -j ''
offers root prepare --user ro
offers hardlink prepare --method h
offers --method=hardlink prepare --method=h
offers createRuntime oci-hook createR

say "bash"
complete_line() {
	# shellcheck source=/dev/null
	. "$FETCHFS_SOURCE/cli/completion.bash"
	# shellcheck disable=SC2317
	compopt() { :; }
	COMP_LINE=$1 COMP_POINT=${#1}
	_fetchfs fetchfs
	printf '%s\n' "${COMPREPLY[@]}"
}
complete_line 'fetchfs rel' | grep -qx release || fail "a command"
complete_line 'fetchfs prepare --method h' | grep -qx hardlink || fail "a method"
complete_line 'fetchfs prepare --method=h' | grep -qx hardlink || fail "a method behind '='"
complete_line "fetchfs ls ${uri%r.txt}" | grep -qx "//$WWW/other.txt" || fail "a URI"
complete_line "fetchfs import $WWW/a" | grep -Fqx "$WWW/a file.txt" || fail "a file with a blank"

say "fish"
complete_fish() {
	timeout 60 fish -c "source '$FETCHFS_SOURCE/cli/completion.fish'; complete -C '$1'"
}
complete_fish 'fetchfs rel' | grep -q '^release' || fail "a command"
complete_fish "fetchfs ls ${uri%r.txt}" | grep -qx "$uri" || fail "a URI"
complete_fish "fetchfs import $WWW/o" | grep -q "^$WWW/other.txt" || fail "a file"

say "zsh"
cp "$FETCHFS_SOURCE/cli/completion.zsh" "$WORK/zsh/_fetchfs"
cat >"$WORK/ask.zsh" <<-'END'
	zmodload zsh/zpty
	zpty shell "zsh -f -i"
	zpty -w shell "PROMPT='> '; fpath=($1 \$fpath); autoload -U compinit; compinit -u -D; echo rea''dy"
	zpty -r -m shell out '*ready*' || exit
	zpty -n -w shell "$2"$'\t'
	zpty -r -m shell out "*$3*" || exit
	print -r -- "offered"
END
complete_zsh() {
	timeout 60 zsh -f "$WORK/ask.zsh" "$WORK/zsh" "$@" | grep -qx offered
}
complete_zsh 'fetchfs rel' 'ease' || fail "a command"
complete_zsh "fetchfs ls ${uri%r.txt}" "r.txt" || fail "a URI"
complete_zsh "fetchfs import $WWW/o" "ther.txt" || fail "a file"

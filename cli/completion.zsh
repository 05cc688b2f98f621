#compdef fetchfs
# Completion of fetchfs(1) for zsh. The program itself knows what fits.

local offer
local -a texts shown

while IFS= read -r offer; do
	case $offer in
	:files) _files ;;
	:folders) _files -/ ;;
	*)
		texts+=("${offer%%$'\t'*}")
		shown+=("${offer/$'\t'/  -- }")
		;;
	esac
done < <(print -rN -- "${(@Q)words[2,CURRENT]}" | timeout 2 $words[1] __complete 2>/dev/null)
(( $#texts )) && compadd -l -d shown -a texts

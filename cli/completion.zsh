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
done < <(timeout 2 $words[1] __complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)
(( $#texts )) && compadd -l -d shown -a texts

# Completion of fetchfs(1) for fish. The program itself knows what fits.

function __fetchfs_offer
	set -l words (commandline -opc)
	set -l cur (commandline -ct)
	for offer in (printf '%s\0' $words[2..-1] $cur | timeout 2 $words[1] __complete 2>/dev/null)
		switch $offer
			case :files
				__fish_complete_path $cur
			case :folders
				__fish_complete_directories $cur
			case '*'
				echo $offer
		end
	end
end

complete -c fetchfs -f -a '(__fetchfs_offer)'

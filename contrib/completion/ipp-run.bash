# shellcheck shell=bash
# Completion of ipp-run in bash, where bash-completion finds it, or:  . contrib/completion/ipp-run.bash
# Verbs and options are those that ipp-run itself prints, so that nothing here grows old.

_ipp_run()
{
	local cur=${COMP_WORDS[COMP_CWORD]} help

	if ((COMP_CWORD == 1)); then
		help=$("${COMP_WORDS[0]}" --help 2>/dev/null | sed -n 's/^  \([a-z]\{2,\}\) .*/\1/p')
		mapfile -t COMPREPLY < <(compgen -W "$help" -- "$cur")
	elif [[ $cur == -* ]]; then
		help=$("${COMP_WORDS[0]}" "${COMP_WORDS[1]}" --help 2>/dev/null |
			grep -E '^(usage:|       ipp-run| +-)' | grep -oE -- '--[a-z][a-z-]*' | sort -u)
		mapfile -t COMPREPLY < <(compgen -W "$help" -- "$cur")
	else
		mapfile -t COMPREPLY < <(compgen -f -- "$cur")
	fi
}
complete -o filenames -F _ipp_run ipp-run

"""What a shell runs to complete `inv`: it asks the very program that stands on the line, `inv --complete -- WORDS`.

Pip's own `inv` understands the same question, and answers with tasks and flags.
"""

import shlex

from invoke import Exit

# The first word may be a path from home, which no shell has expanded at that time.
BASH = r"""
_inv_complete() {
    local found word before=("${COMP_WORDS[@]:1:COMP_CWORD-1}")
    COMPREPLY=()
    if found=$("${1/#\~\//$HOME/}" --complete -- "${before[@]}" "$2" 2>/dev/null </dev/null); then
        while read -r word; do
            [[ $word && $word == "$2"* ]] && COMPREPLY+=("$word")
        done <<< "$found"
    else
        compopt -o default
    fi
}
complete -o nosort -F _inv_complete inv invoke 2>/dev/null || complete -F _inv_complete inv invoke
"""
ZSH = r"""
_inv_complete() {
    local found program=${words[1]/#\~\//$HOME/}
    if found=$("$program" --complete -- "${(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null </dev/null); then
        compadd -V inv -- ${(f)found}
    else
        _files
    fi
}
(( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
compdef _inv_complete inv invoke
"""
FISH = r"""
function _inv_complete
    set -l words (commandline --tokenize --current-process --cut-at-cursor)
    set -l current (commandline --current-token --cut-at-cursor)
    set -l program (string replace --regex '^~/' $HOME/ -- $words[1])
    set --erase words[1]
    $program --complete -- $words "$current" 2>/dev/null </dev/null
    or __fish_complete_path "$current"
end
complete --command inv --no-files --keep-order --arguments '(_inv_complete)'
complete --command invoke --no-files --keep-order --arguments '(_inv_complete)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def script(shell: str) -> str:
    """What a shell runs to complete `inv`.

    Raises:
        Exit: with code 2 for a shell that is none of these.
    """
    if shell not in SCRIPTS:
        said = f"There is no completion for {shell}." if shell else "It is not known which shell this is."
        raise Exit(f"{said} Type --shell with one of: {', '.join(SCRIPTS)}.", code=2)
    return SCRIPTS[shell].strip()


def started_by(shell: str, inv: str) -> str:
    """What to type once, for all shells to come. `inv`: how the program is called."""
    asked = f"{shlex.quote(inv)} completion --shell {shell}"
    if shell == "fish":
        return f"cd ~/.config/fish && mkdir -p completions && {asked} > completions/inv.fish"
    line = f'eval "$({asked})"'
    return f"echo {shlex.quote(line)} >> ~/.{shell}rc"

import { EdrlakeError, writeText } from '@edrlake/core';
import { COMPLETE, type CommandInput, defineCommand } from '../args/command.ts';
import type { ProcessContext } from '../process/process-context.ts';
import { writeJson } from '../text/json-output.ts';

const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `# edrlake completion for bash
_edrlake() {
  local IFS=$'\\n'
  COMPREPLY=($(edrlake ${COMPLETE} "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o bashdefault -o default -F _edrlake edrlake
`,
  zsh: `#compdef edrlake
# edrlake completion for zsh
_edrlake() {
  local -a found
  found=("\${(@f)$(edrlake ${COMPLETE} "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "\${found[1]}" ]]; then
    compadd -- "\${found[@]}"
  else
    [[ "$PREFIX" == --*=* ]] && compset -P '*='
    _default
  fi
}
if [[ "\${funcstack[1]}" == _edrlake ]]; then
  _edrlake "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit -i }
  compdef _edrlake edrlake
fi
`,
};

/** `edrlake completion` */
export const command = defineCommand({
  command: 'completion [shell]',
  describe: 'Print a completion script for bash or zsh',
  details: ['bash: edrlake completion bash >> ~/.bashrc', 'zsh: edrlake completion zsh >> ~/.zshrc'],
  positionals: { shell: { describe: 'bash or zsh; by default that of $SHELL', suggestions: Object.keys(SCRIPTS) } },
  flags: ['json', 'log-level'],
  examples: [
    { command: 'edrlake completion bash >> ~/.bashrc', purpose: 'for bash' },
    { command: 'edrlake completion zsh >> ~/.zshrc', purpose: 'for zsh' },
  ],
  run,
});

/** Prints the script that teaches a shell to complete `edrlake`. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const shell = input.positionals.shell ?? (context.env.SHELL?.endsWith('zsh') === true ? 'zsh' : 'bash');
  const script = SCRIPTS[shell];
  if (script === undefined) {
    throw new EdrlakeError('USAGE', `expected bash or zsh, found "${shell}"`, {
      hint: 'See: edrlake completion --help',
    });
  }
  if (input.values.json) await writeJson(context.stdout, { shell, script });
  else await writeText(context.stdout, script);
  return 0;
}

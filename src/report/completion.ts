/**
 * Completion of the command line for bash, zsh and fish, made from the same table that checks the arguments.
 */

export interface CompletedCommand {
  /** Empty for the program without a command. */
  readonly name: string;
  readonly description: string;
  readonly options: readonly {
    readonly name: string;
    readonly description: string;
    /** What the value may be: words, a file, anything else, or no value at all. */
    readonly value: readonly string[] | 'file' | 'text' | null;
  }[];
  /** What the arguments that are no options may be. */
  readonly positional: readonly string[] | 'file';
}

const scripts = { bash, zsh, fish };

export function completionScript(shell: keyof typeof scripts, commands: readonly CompletedCommand[]): string {
  return scripts[shell](commands);
}

function names(commands: readonly CompletedCommand[]): string[] {
  return commands.map(({ name }) => name).filter((name) => name !== '');
}

function bash(commands: readonly CompletedCommand[]): string {
  const cases = commands.map(({ name, options, positional }) => {
    const values = options.flatMap(({ name: option, value }) => {
      if (value === null) return [];
      const reply = value === 'file' ? 'compgen -f' : value === 'text' ? ':' : `compgen -W '${value.join(' ')}'`;
      return [`      --${option}) COMPREPLY=($(${reply} -- "$word")); return ;;`];
    });
    const words = [...options.map((option) => `--${option.name}`), ...(name === '' ? names(commands) : [])];
    const more = positional === 'file' ? 'compgen -f' : `compgen -W '${positional.join(' ')}'`;
    return [
      `    ${name === '' ? '*' : name})`,
      '      case $previous in',
      ...values.map((line) => `  ${line}`),
      '      esac',
      `      COMPREPLY=($(compgen -W '${words.join(' ')}' -- "$word") $(${more} -- "$word"))`,
      '      ;;',
    ].join('\n');
  });
  // The case of the program itself catches everything, so it stands last.
  return `# bash completion of kata-check
_kata_check() {
  local word=\${COMP_WORDS[COMP_CWORD]} previous=\${COMP_WORDS[COMP_CWORD - 1]}
  case \${COMP_WORDS[1]} in
${[...cases.slice(1), cases[0]].join('\n')}
  esac
}
complete -o filenames -F _kata_check kata-check
`;
}

/** As it may stand in a zsh specification between quotes. */
function zshText(text: string): string {
  return text.replaceAll("'", "'\\''").replace(/[[\]:]/g, '\\$&');
}

function zsh(commands: readonly CompletedCommand[]): string {
  const specification = ({ options, positional }: CompletedCommand): string => {
    const lines = options.map(({ name, description, value }) => {
      const action =
        value === null
          ? ''
          : value === 'file'
            ? ':file:_files'
            : value === 'text'
              ? ':value:'
              : `:value:(${value.join(' ')})`;
      return `'*--${name}${value === null ? '' : '='}[${zshText(description)}]${action}'`;
    });
    const rest = positional === 'file' ? "'*:file:_files'" : `'*:word:(${positional.join(' ')})'`;
    return [...lines, rest].map((line) => `        ${line}`).join(' \\\n');
  };
  const [main, ...others] = commands;
  const described = others.map(({ name, description }) => `      '${name}:${zshText(description)}'`).join('\n');
  const cases = others.map(
    (command) => `    ${command.name}) shift words; (( CURRENT-- )); _arguments \\\n${specification(command)} ;;`,
  );
  return `#compdef kata-check
_kata_check() {
  if (( CURRENT == 2 )); then
    local -a commands=(
${described}
    )
    _describe command commands
  fi
  case $words[2] in
${cases.join('\n')}
    *) _arguments \\
${main === undefined ? '' : specification(main)} ;;
  esac
}
compdef _kata_check kata-check
`;
}

function fish(commands: readonly CompletedCommand[]): string {
  const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const lines = commands.flatMap(({ name, description, options, positional }) => {
    const condition = name === '' ? '__fish_use_subcommand' : `__fish_seen_subcommand_from ${name}`;
    const start = `complete -c kata-check -n ${quoted(condition)}`;
    return [
      ...(name === '' ? [] : [`complete -c kata-check -n __fish_use_subcommand -a ${name} -d ${quoted(description)}`]),
      ...options.map((option) => {
        const value = option.value;
        const takes =
          value === null
            ? ''
            : value === 'file'
              ? ' -r -F'
              : value === 'text'
                ? ' -x'
                : ` -x -a ${quoted(value.join(' '))}`;
        return `${start} -l ${option.name}${takes} -d ${quoted(option.description)}`;
      }),
      ...(positional === 'file' ? [] : [`${start} -f -a ${quoted(positional.join(' '))}`]),
    ];
  });
  return `# fish completion of kata-check\n${lines.join('\n')}\n`;
}

# bash completion for provisioner; generated, see provisioner/cli/completion.py
_provisioner() {
  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}" command="" words="" word value=""
  # bash hands `--format=he` over as three words
  if [ "$previous" = "=" ]; then previous="${COMP_WORDS[COMP_CWORD-2]}"; fi
  if [ "$current" = "=" ]; then current=""; value=1; fi
  [ -n "$value" ] || for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [ "$word" = "=" ]; then value=1; continue; fi
    if [ -n "$value" ]; then value=""; continue; fi
    case "$word" in
    --actor|--address|--allow|--application|--as|--at|--backend-config|--chdir|--config|--consumer|--data|--exclude|--expect-ancestor|--expect-head|--find-token|--format|--generate-config-out|--gitlab-report|--horizon|--html|--junit|--lock-timeout|--lockfile|--markdown|--min-ttl|--note|--out|--parallelism|--plugin-dir|--policy|--port|--replace|--run|--sarif|--since|--state|--target|--timeout|--until|--var|--var-file|-C|-actor|-address|-allow|-application|-as|-at|-backend-config|-c|-chdir|-config|-consumer|-data|-exclude|-expect-ancestor|-expect-head|-find-token|-format|-generate-config-out|-gitlab-report|-horizon|-html|-junit|-lock-timeout|-lockfile|-markdown|-min-ttl|-note|-out|-parallelism|-plugin-dir|-policy|-port|-replace|-run|-sarif|-since|-state|-target|-timeout|-until|-var|-var-file) value=1 ;;
    -*) ;;
    state|sandbox) [ -z "$command" ] && command="$word" ;;
    *) case "$command" in
       state|sandbox) command="$command $word" ;;
       "") command="$word" ;;
       esac ;;
    esac
  done
  case "$previous" in --*) ;; -?*) previous="-$previous" ;; *) previous="" ;; esac
  case "$command $previous" in
    "token --format") words="raw json header" ;;
    "output --format") words="json dotenv github k8s" ;;
    "resolve --as") words="happened did-not-happen" ;;
    "completion ") words="bash zsh fish" ;;
  esac
  if [ -n "$value" ]; then :
  elif [[ "$current" = -* ]]; then
    case "$command" in
    "") words="--chdir --config --var --var-file --no-color --help --version" ;;
    "init") words="--upgrade --reconfigure --migrate-state --force-copy --get --backend --backend-config --lockfile --plugin-dir --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "validate") words="--json --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "fmt") words="--check --diff --list=false --write=false --recursive --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "plan") words="--out --detailed-exitcode --generate-config-out --horizon --gitlab-report --refresh=false --refresh-only --destroy --target --exclude --replace --allow --at --lock=false --lock-timeout --note --parallelism --markdown --compact-warnings --full --json --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "apply") words="--auto-approve --refresh=false --refresh-only --destroy --target --exclude --replace --allow --at --lock=false --lock-timeout --note --parallelism --markdown --compact-warnings --full --json --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "destroy") words="--auto-approve --refresh=false --refresh-only --destroy --target --exclude --replace --allow --at --lock=false --lock-timeout --note --parallelism --markdown --compact-warnings --full --json --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "refresh") words="--refresh=false --refresh-only --destroy --target --exclude --replace --allow --at --lock=false --lock-timeout --note --parallelism --markdown --compact-warnings --full --json --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "drift") words="--detailed-exitcode --full --json --parallelism --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "show") words="--at --full --json --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "state list") words="--chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "state show") words="--json --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "state pull") words="--chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "state lock") words="--json --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "state mv") words="--dry-run --lock=false --lock-timeout --note --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "state rm") words="--dry-run --lock=false --lock-timeout --note --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "state replace-provider") words="--auto-approve --lock=false --lock-timeout --note --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "state migrate") words="--lock=false --lock-timeout --note --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "state rekey") words="--prune --lock=false --lock-timeout --note --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "state verify") words="--json --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "state backup") words="--chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "history") words="--json --address --run --actor --since --until --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "diff") words="--detailed-exitcode --json --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "import") words="--generate-config-out --lock=false --lock-timeout --note --parallelism --json --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "authorize") words="--consumer --no-browser --device --timeout --lock=false --lock-timeout --note --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "token") words="--min-ttl --format --lock=false --lock-timeout --note --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "output") words="--format --json --raw --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "run") words="--application --lock=false --lock-timeout --note --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "resolve") words="--as --lock=false --lock-timeout --note --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "audit") words="--json --sarif --junit --html --markdown --policy --expect-head --expect-ancestor --find-token --state --at --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "force-unlock") words="--force --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "schema") words="--state --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "sandbox serve") words="--port --data --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "providers") words="--json --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "version") words="--json --chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    "completion") words="--chdir --config --var --var-file --no-color --input=false --accept-rollback --verbose --help" ;;
    esac
    if [[ "$current" != --* ]]; then words=" $words"; words="${words// --/ -}"; fi
  else
    case "$command" in
    "") words="init validate fmt plan apply destroy refresh drift show history diff import authorize token output run resolve audit force-unlock schema providers version completion state sandbox" ;;
    state) words="list show pull lock mv rm replace-provider migrate rekey verify backup" ;;
    sandbox) words="serve" ;;
    esac
  fi
  COMPREPLY=($(compgen -W "$words" -- "$current"))
  if [ -z "$words" ]; then
    compopt -o filenames 2>/dev/null
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -F _provisioner provisioner

"""Every command: what it is for and an example. Read by help, completion and dispatch, so nothing is imported here."""

from __future__ import annotations


class Command:
    """`handler` is a module of this package and the function in it, as `module:function`."""

    __slots__ = ("example", "handler", "help")

    def __init__(self, help_: str, example: str, handler: str) -> None:
        self.help, self.example, self.handler = help_, example, handler


COMMANDS: dict[str, Command] = {
    "init": Command("write a commented starter file", "provisioner init eztexting smscx", "handle_about:init"),
    "validate": Command(
        "check the file: no network, no state, no secrets", "provisioner validate --json", "handle_about:validate"
    ),
    "fmt": Command("write the file in one layout, comments kept", "provisioner fmt --check --diff", "handle_about:fmt"),
    "plan": Command("show what apply would do, and why", "provisioner plan --out monday.tfplan", "handle_plan:plan"),
    "apply": Command("do what the plan shows, after a `yes`", "provisioner apply monday.tfplan", "handle_apply:apply"),
    "destroy": Command("revoke and delete everything that is recorded", "provisioner destroy", "handle_apply:destroy"),
    "refresh": Command(
        "record what the providers say now, and change nothing there", "provisioner refresh", "handle_apply:refresh"
    ),
    "drift": Command(
        "what changed at the providers behind the recorded state's back",
        "provisioner drift --detailed-exitcode",
        "handle_plan:drift",
    ),
    "show": Command(
        "a saved plan, or the recorded state", "provisioner show --json --at 2026-11-01T00:00:00Z", "handle_state:show"
    ),
    "state list": Command("the addresses that are recorded", "provisioner state list", "handle_state:list_addresses"),
    "state show": Command(
        "one recorded resource", "provisioner state show token.campaigns", "handle_state:show_address"
    ),
    "state pull": Command(
        "the recorded state as JSON, secrets still sealed", "provisioner state pull > state.json", "handle_state:pull"
    ),
    "state lock": Command("who holds the lock", "provisioner state lock --json", "handle_state:lock"),
    "state mv": Command(
        "give a recorded resource another address",
        "provisioner state mv application.old application.new",
        "handle_state:move",
    ),
    "state rm": Command(
        "forget a resource and leave it at the vendor", "provisioner state rm token.campaigns", "handle_state:remove"
    ),
    "state replace-provider": Command(
        "say that resources belong to another provider's name",
        "provisioner state replace-provider cx sms",
        "handle_state:replace_provider",
    ),
    "state migrate": Command(
        "move the recorded state to another store",
        "provisioner state migrate state/messaging postgresql:///states",
        "handle_state:migrate",
    ),
    "state rekey": Command(
        "reseal every secret to the recipients now in the file", "provisioner state rekey", "handle_state:rekey"
    ),
    "state verify": Command(
        "check every entry of the recorded state", "provisioner state verify", "handle_state:verify"
    ),
    "state backup": Command(
        "copy the recorded state, keys and all, to one file",
        "provisioner state backup monday.backup",
        "handle_state:backup",
    ),
    "history": Command(
        "the recorded changes, oldest first",
        "provisioner history --address token.campaigns --since 7d",
        "handle_audit:history",
    ),
    "diff": Command("what changed between two recorded states", "provisioner diff 12 --json", "handle_audit:diff"),
    "import": Command(
        "take over something that exists",
        "provisioner import application.campaigns 3fd97176bd7e",
        "handle_apply:take_over",
    ),
    "authorize": Command(
        "get the first token where a person must agree",
        "provisioner authorize translations --no-browser",
        "handle_tokens:authorize",
    ),
    "token": Command(
        "print a token that is valid now",
        "provisioner token token.campaigns --min-ttl 10m --format header",
        "handle_tokens:token",
    ),
    "output": Command(
        "hand tokens to whoever consumes them", "provisioner output --format dotenv", "handle_tokens:output"
    ),
    "run": Command(
        "run a command with the tokens in its environment",
        "provisioner run --application campaigns -- ./send.sh",
        "handle_tokens:run",
    ),
    "resolve": Command(
        "decide what is in doubt", "provisioner resolve op-1f3a --as did-not-happen", "handle_state:resolve"
    ),
    "audit": Command(
        "check the recorded state against its rules", "provisioner audit --html audit.html", "handle_audit:audit"
    ),
    "force-unlock": Command(
        "break a lock that its holder left", "provisioner force-unlock 5f0c1c1e", "handle_state:force_unlock"
    ),
    "schema": Command("the JSON Schema of the desired-state file", "provisioner schema --state", "handle_about:schema"),
    "sandbox serve": Command(
        "the embedded vendors over HTTP on 127.0.0.1", "provisioner sandbox serve --port 8080", "handle_about:serve"
    ),
    "providers": Command("what each provider can and cannot do", "provisioner providers", "handle_about:providers"),
    "version": Command("the versions of this program and its formats", "provisioner version", "handle_about:version"),
    "completion": Command(
        "a completion script for your shell", "provisioner completion bash", "handle_about:completion"
    ),
}

# Commands of two words, and what their first word is about.
GROUPS = {"state": "look at the recorded state, and edit it", "sandbox": "the embedded vendors"}

# What Terraform has and we have under another name, or need not; and what people type who are in a hurry.
ELSEWHERE = {
    "workspace": "A stack is a file with its own state: name it with --config FILE or --chdir DIR.",
    "taint": "`provisioner apply --replace ADDRESS` replaces it in one run.",
    "untaint": "A step that failed taints nothing: the next apply goes on where the last one stopped.",
    "get": "There are no modules to download; `include` in [stack] names further files.",
    "console": "`provisioner show --json` and jq answer questions about what is recorded.",
    "graph": "`provisioner plan` lists steps in their order; each waits for its application, and for nothing else.",
    "test": '`provisioner validate` checks the file; base_url = "sandbox" tries it on the embedded vendors.',
    "query": "`provisioner plan --generate-config-out FILE` writes TOML for what exists at the vendors.",
    "login": 'Credentials are references in the file, as in { env = "NAME" }; `provisioner authorize` asks a person.',
    "logout": "Credentials are references in the file; nothing of them is kept.",
    "metadata": "`provisioner schema` and `provisioner providers --json` describe what there is.",
    "status": "`provisioner show` is what is recorded, `plan` what would be done, `audit` what is wrong with it.",
    "list": "`provisioner state list` lists what is recorded.",
    "rotate": "`provisioner apply --replace ADDRESS` makes a token anew, and retires the old one.",
    "revoke": "`provisioner destroy --target ADDRESS` ends a token; while the file declares it, apply makes another.",
    "unlock": "`provisioner force-unlock LOCK_ID` breaks a lock; `provisioner state lock` shows it.",
    "state unlock": "`provisioner force-unlock LOCK_ID` breaks a lock; `provisioner state lock` shows it.",
    "state push": "`provisioner state migrate FROM TO` moves a state; `state backup FILE` copies it.",
}

# Those whose --json is a stream of events that always ends with a change_summary.
STREAMING = ("plan", "apply", "destroy", "refresh", "drift", "import")

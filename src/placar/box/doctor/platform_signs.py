"""What platforms, containers and kernels write, and the members of their JSON."""

from __future__ import annotations

from placar.box.doctor.signs import sign

_EXITED = (
    r'(?:"?[Ee]xit ?[Cc]ode"?:\s*CODE\b|.{0,300}(?:\s{2}|: *")Exited \(CODE\)'
    r"|\S+ exited with code CODE\b)"
)
_ROUTER = r"(?:sock=\w+ )?(?:at=(?:error|info|warning) )?code=(?P<code>{code}) desc="

RENDER = (
    sign("render", "==> ", r"==> ", stack="render"),
    sign("render", "/opt/render/", r".*/opt/render/", stack="render"),
    sign(
        "instance_memory",
        "Ran out of memory",
        r"(?:Instance failed: )?Ran out of memory \(used over (?P<limit>[\d.]+ ?[KMGT]?B)\)",
        stack="render",
    ),
    sign("instance_memory", '"oomKilled"', r'"oomKilled":\s*(?:\{|true)', stack="render"),
    sign(
        "health_failed",
        "ealth check",
        r"(?:Instance failed: )?HTTP health check (?:failed|timed out)",
        stack="render",
    ),
    sign("health_failed", '"unhealthy"', r'"unhealthy":\s*(?:"(?!")|\{|true)', stack="render"),
    sign(
        "health_refused",
        "ealth check",
        r"(?:Instance failed: )?[hH]ealth check +(?:failed: )?.{0,60}connection refused",
        stack="render",
    ),
    sign(
        "exited_143",
        "xited",
        r"(?:Instance failed: |==> )?(?:Application e|E)xited with (?:status|code) 143\b",
    ),
    sign(
        "exited_137",
        "xited",
        r"(?:Instance failed: |==> )?(?:Application e|E)xited with (?:status|code) 137\b",
    ),
    sign(
        "exited_134",
        "xited",
        r"(?:Instance failed: |==> )?(?:Application e|E)xited with (?:status|code) 134\b",
    ),
    sign(
        "exited_139",
        "xited",
        r"(?:Instance failed: |==> )?(?:Application e|E)xited with (?:status|code) 139\b",
    ),
    sign(
        "exited_other",
        "xited",
        r"(?:Instance failed: |==> )(?:Application e|E)xited with (?:status"
        r"|code) (?P<code>(?!143\b)[1-9]\d{0,2})\b",
    ),
    sign("exited_other", '"nonZeroExit"', r'"nonZeroExit":\s*(?P<code>(?!143\b)[1-9]\d*)'),
    sign("exited_137", '"nonZeroExit"', r'"nonZeroExit":\s*137\b'),
    sign("exited_134", '"nonZeroExit"', r'"nonZeroExit":\s*134\b'),
    sign("exited_139", '"nonZeroExit"', r'"nonZeroExit":\s*139\b'),
    sign("exited_143", '"nonZeroExit"', r'"nonZeroExit":\s*143\b'),
    sign("exited_early", "xited early", r"(?:==> )?Application exited early", stack="render"),
    sign("exited_early", '"earlyExit"', r'"earlyExit":\s*(?:true|\{|"[^"])', stack="render"),
    sign(
        "no_port",
        "pen ports detected",
        r"(?:==> )?(?:Port scan timeout reached, )?[nN]o open (?:HTTP )?ports detected",
        stack="render",
    ),
    sign("deploy_timeout", "Timed", r"==> Timed [oO]ut", stack="render"),
    sign(
        "deploy_timeout",
        '"timedOut',
        r'"timedOut(?:Seconds|Reason)":\s*(?:[1-9]|")',
        stack="render",
    ),
)

HEROKU = (
    sign("heroku", "heroku[", r"heroku\[", stack="heroku"),
    sign("heroku", "app[", r"app\[(?:web|worker|release)\.\w+\]", stack="heroku"),
    *(
        sign(f"heroku_{code.lower()}", f"code={code}", _ROUTER.format(code=code), stack="heroku")
        for code in ("H10", "H12", "H13", "H14", "H18", "H20", "H27")
    ),
    sign("heroku_r14", "Error R14", r"Error R14 \(Memory quota exceeded\)", stack="heroku"),
    sign("heroku_r15", "Error R15", r"Error R15 \(Memory quota vastly exceeded\)", stack="heroku"),
    sign("heroku_r10", "Error R10", r"Error R10 \(Boot timeout\)", stack="heroku"),
    sign("heroku_r12", "Error R12", r"Error R12 \(Exit timeout\)", stack="heroku"),
    sign("exited_137", "exited with status", r"Process exited with status 137\b"),
    sign("exited_134", "exited with status", r"Process exited with status 134\b"),
    sign("exited_139", "exited with status", r"Process exited with status 139\b"),
    sign("dyno_crashed", "to crashed", r"State changed from \w+ to crashed"),
    sign("platform_term", "SIGTERM", r"Stopping all processes with SIGTERM"),
)

CONTAINERS = (
    sign(
        "oom_killed",
        "OutOfMemoryError",
        r".{0,60}OutOfMemoryError: Container killed due to memory usage",
        stack="ecs",
    ),
    sign("oom_killed", "OOMKilled", r'"OOMKilled":\s*true', stack="docker"),
    sign("oom_killed", "OOMKill", r'"?[rR]eason"?:\s*"?OOMKill(?:ed|ing)\b', stack="k8s"),
    sign("oom_killed", "OOMKilled", r"(?:\S+\s+)?\d+/\d+\s+OOMKilled\s+\d+", stack="k8s"),
    sign("oom_killed", "OOMKilling", r"(?:\S+\s+){0,3}Warning\s+OOMKilling\b", stack="k8s"),
    sign("oom_killed", "OOMKilled", r"(?:\S+\s+){1,3}OOMKilled\s+\d+ ", stack="k8s"),
    *(
        sign(f"exited_{code}", str(code), _EXITED.replace("CODE", str(code)))
        for code in (134, 137, 139)
    ),
    sign(
        "probe_timeout",
        "probe failed",
        r".{0,200}Liveness probe failed: .*(?:context deadline exceeded|Client\.Timeout|timeout)",
        stack="k8s",
    ),
    sign(
        "probe_refused",
        "probe failed",
        r".{0,200}(?:Liveness|Startup) probe failed: .*connection refused",
        stack="k8s",
    ),
    sign(
        "restarting",
        "Back-off restarting",
        r".{0,200}Back-off restarting failed container",
        stack="k8s",
    ),
    sign(
        "restarting",
        "CrashLoopBackOff",
        r'(?:"?[rR]eason"?:\s*"?CrashLoopBackOff|(?:\S+\s+){1,2}\d+/\d+\s+CrashLoopBackOff\b)',
        stack="k8s",
    ),
    sign(
        "evicted",
        "low on resource",
        r".{0,200}[Tt]he node was low on resource: (?P<resource>[\w-]+)",
        stack="k8s",
    ),
    sign(
        "evicted",
        "Evicted",
        r'(?:"?(?:reason|Reason)"?:\s*"?Evicted\b|(?:\S+\s+){1,2}\d+/\d+\s+Evicted\s|\S+\s+Warning\s+Evicted\s|Warning\s+Evicted\s)',
        stack="k8s",
    ),
    sign("evicted", '"evicted"', r'"evicted":\s*(?:true|\{)', stack="render"),
    sign(
        "evicted",
        "ephemeral",
        r".{0,200}ephemeral local storage usage exceeds the total limit",
        stack="k8s",
    ),
    sign(
        "kernel_oom",
        "out of memory",
        r"Memory cgroup out of memory: Kill(?:ed)? process (?P<pid>\d+) \((?P<name>[^)]*)\)",
    ),
    sign(
        "kernel_oom",
        "Out of memory",
        r"Out of memory: Kill(?:ed)? process (?P<pid>\d+) \((?P<name>[^)]*)\)",
    ),
    sign("kernel_oom", "oom-kill:", r"oom-kill:constraint=CONSTRAINT_\w+"),
    sign("kernel_oom", "oom-killer", r"\S+ invoked oom-killer:"),
    sign("kernel_oom", "oom_reaper", r"oom_reaper: reaped process (?P<pid>\d+)"),
    sign(
        "kernel_oom",
        "OOM killer",
        r"\S+\.service: A process of this unit has been killed by the OOM killer",
    ),
    sign(
        "kernel_oom",
        "oom-kill",
        r"\S+\.service: (?:Failed with result 'oom-kill'"
        r"|Main process exited, code=killed, status=9/KILL.*oom)",
    ),
    sign(
        "unit_abort",
        "status=6/ABRT",
        r"\S+\.service: Main process exited, code=(?:killed|dumped), status=6/ABRT",
    ),
    sign(
        "unit_segv",
        "status=11/SEGV",
        r"\S+\.service: Main process exited, code=(?:killed|dumped), status=11/SEGV",
    ),
    sign(
        "unit_stop_timeout", "timed out", r"\S+\.service: State 'stop-sigterm' timed out\. Killing"
    ),
    sign("segv", "segfault at", r"\S+\[\d+\]: segfault at [0-9a-f]+ ip "),
)

"""What platforms say from outside; most of it follows from something in the boxes."""

from __future__ import annotations

from placar.box.doctor.clues import Seen
from placar.box.doctor.finding import Confidence
from placar.box.doctor.rule import On, Rule

PLATFORM: tuple[Rule, ...] = (
    Rule(
        id="evicted",
        title="The node ran short of something and evicted the instance",
        when=(Seen(("evicted",)),),
        confidence=Confidence.CERTAIN,
        what=("The instance was evicted.", On("has_resource", "The node was low on {resource}.")),
        why=(
            (
                "A node under pressure removes first what uses more than it requested. Nothing in "
                "the application crashed."
            ),
        ),
        fix=(
            On(
                "k8s",
                "Set resources.requests to what is really used, for memory and for "
                "ephemeral-storage.",
            ),
            "Write less to the container's own disk: logs to stdout, data to a volume.",
            "Run two instances, so that one eviction is no outage.",
        ),
        avoid=("Do not delete the evicted pod before you read why it was evicted.",),
        explains=("container_killed", "exit_status"),
    ),
    Rule(
        id="no_open_port",
        title="The platform found no open port",
        when=(Seen(("no_port",)),),
        confidence=Confidence.LIKELY,
        what=("Render saw nothing listen on 0.0.0.0.",),
        why=(
            (
                "The server listens on another address or has not come up yet: a slow import, a "
                "model loaded before binding, or a command that is no web server."
            ),
        ),
        fix=(
            "Bind to 0.0.0.0:$PORT on the command line (Render's default PORT is 10000).",
            "Bind first and load slowly: put the loading into the lifespan's background.",
        ),
        avoid=("Do not open a dummy port beside the server.",),
        explains=("deploy_timed_out",),
    ),
    Rule(
        id="heroku_boot_timeout",
        title="The dyno did not bind to $PORT within 60 seconds (R10)",
        when=(Seen(("heroku_r10",)),),
        confidence=Confidence.CERTAIN,
        what=("Heroku gave up waiting for the port and killed the dyno.",),
        why=("Importing or loading took longer than 60 s, or the server binds elsewhere.",),
        fix=(
            "Bind to 0.0.0.0:$PORT.",
            "Load models after binding, and keep heavy imports out of the web process.",
        ),
        avoid=("Do not change gunicorn's --timeout: it does not cover this.",),
        explains=("app_crashed", "container_killed", "exit_status"),
    ),
    Rule(
        id="deploy_timed_out",
        title="The deploy took too long and was given up",
        when=(Seen(("deploy_timeout",)),),
        confidence=Confidence.CERTAIN,
        what=("The new instance was not healthy in time (Render waits 15 minutes).",),
        why=(
            (
                "It never answered its health check: the path is wrong, the host is refused, start "
                "is too slow, or the port is another."
            ),
        ),
        fix=(
            "Ask for healthCheckPath by hand: it must answer 2xx or 3xx within 5 s.",
            "Allow the platform's host name if a TrustedHost check is on.",
            "Bind to 0.0.0.0:$PORT.",
        ),
        avoid=("Do not deploy again unchanged.",),
    ),
    Rule(
        id="health_check_refused",
        title="The health check was refused: nothing listens at its port",
        when=(Seen(("health_refused", "probe_refused")),),
        confidence=Confidence.LIKELY,
        what=("Connections to the health address were refused ({often}).",),
        why=("The process is down, still starting, or listens on another port or address.",),
        fix=(
            "Look for the crash in the lines of the application before it.",
            "Bind to 0.0.0.0 and to the port that the check uses.",
            On("k8s", "Use a startupProbe for an application that starts slowly."),
        ),
        avoid=("Do not raise the check's time-out: a refusal is immediate.",),
        explains=("crash_loop", "exit_status"),
    ),
    Rule(
        id="boot_failed",
        title="Workers fail to boot, and the log does not show why",
        when=(Seen(("boot_failed", "load_failed", "exit_3", "exit_4")),),
        confidence=Confidence.LIKELY,
        what=("gunicorn gave up because its workers end while they load the application.",),
        why=("The traceback with the real error stands above these lines, but not in this log.",),
        fix=(
            'Get the lines before: look for "Exception in worker process".',
            "Or import the application by hand in the same environment.",
        ),
        avoid=("Do not change time-outs: nothing of that is reached.",),
        explains=("crash_loop", "app_crashed", "exit_status"),
    ),
    Rule(
        id="app_crashed",
        title="The application's process crashed, and the log does not show why",
        when=(Seen(("heroku_h10", "dyno_crashed")),),
        confidence=Confidence.LIKELY,
        what=("Heroku's router found no running process (H10).",),
        why=("The dyno crashed at start or later; the reason is in its own lines.",),
        fix=('`heroku logs --dyno web.1 -n 1500` and read what stands before "crashed".',),
        avoid=("Do not restart in the hope that it stays up.",),
        explains=("exit_status",),
    ),
    Rule(
        id="crash_loop",
        title="The container starts, ends, and is started again (CrashLoopBackOff)",
        when=(Seen(("restarting",)),),
        confidence=Confidence.LIKELY,
        what=("Kubernetes waits longer and longer before it starts the container again.",),
        why=("The process ends by itself. Why, says the log of the container that ended.",),
        fix=(
            "`kubectl logs POD --previous`, and `kubectl describe pod POD` for the exit code.",
            "Give that log to the doctor.",
        ),
        avoid=("Do not only delete the pod: the next one does the same.",),
        explains=("exit_status",),
    ),
    Rule(
        id="exit_status",
        title="The process ended by itself with an error",
        when=(Seen(("exited_other", "exited_early")),),
        confidence=Confidence.POSSIBLE,
        what=("The platform reports that the start command ended.", On("has_code", "Code {code}.")),
        why=(
            (
                "1 is an error of the application, 2 wrong use of a command, 3 a worker "
                "that failed "
                ""
                ""
                "to boot, 126 or 127 a program that cannot be run or found."
            ),
        ),
        fix=("Read the application's last lines before the end.",),
        avoid=("Do not guess from the number alone.",),
    ),
)

ROUTER: tuple[Rule, ...] = (
    Rule(
        id="connection_closed",
        title="The worker died in the middle of a request (H13)",
        when=(Seen(("heroku_h13",)),),
        confidence=Confidence.LIKELY,
        what=("Heroku's router lost {times} connection(s) without an answer.",),
        why=(
            (
                "Something ended the worker while it was answering: gunicorn's time-out, a kill, a "
                "crash, or a keep-alive shorter than the router's."
            ),
        ),
        fix=(
            "Look at the same moment for WORKER TIMEOUT or SIGKILL.",
            "If there is none, set gunicorn's --keep-alive to 95.",
        ),
        avoid=("Do not retry blindly: the request may have been carried out.",),
    ),
    Rule(
        id="router_timeout",
        title="Requests took longer than the router's 30 seconds (H12)",
        when=(Seen(("heroku_h12",)),),
        confidence=Confidence.CERTAIN,
        what=("Heroku's router gave up on {times} request(s) after 30 s.",),
        why=(
            (
                "30 s is fixed. The worker does not learn of it and goes on computing for "
                "nobody, so "
                ""
                ""
                "the queue grows."
            ),
        ),
        fix=(
            "Answer at once with 202 and do long work in a process of its own.",
            "Give outgoing calls time-outs below 30 s, and set gunicorn's --timeout to 30 or less.",
        ),
        avoid=("Do not raise --timeout above 30: on Heroku nobody waits that long.",),
    ),
    Rule(
        id="no_web_dyno",
        title="No web process runs (H14)",
        when=(Seen(("heroku_h14",)),),
        confidence=Confidence.CERTAIN,
        what=("The router has nowhere to send requests.",),
        why=("The application is scaled to 0, or the Procfile has no `web:` line.",),
        fix=("`heroku ps:scale web=1`, and check that the Procfile says `web: …`.",),
        avoid=("Do not look into the application: it does not run.",),
    ),
    Rule(
        id="slow_start",
        title="The dyno took too long to become ready for a request (H20)",
        when=(Seen(("heroku_h20",)),),
        confidence=Confidence.CERTAIN,
        what=("The router waited 75 s for a dyno that was starting.",),
        why=("Imports or loading a model take too long.",),
        fix=("Bind early and load later; keep heavy imports out of the web process.",),
        avoid=("Do not change gunicorn's --timeout: it does not cover the start.",),
    ),
    Rule(
        id="client_left",
        title="Clients closed their connections before the answer (H18, H27)",
        when=(Seen(("heroku_h18", "heroku_h27")),),
        confidence=Confidence.POSSIBLE,
        what=("{times} request(s) were given up by their clients.",),
        why=("The client has a shorter time-out, lost its network, or the page was left.",),
        fix=(
            "If it is always the same path, make that path faster.",
            "Compare the clients' time-out with the times in these lines (service=…ms).",
        ),
        avoid=("Do not treat single ones as an outage.",),
    ),
)
